-- Lockstep's VST3 classes in Ardour 7, without a screen or a sound card: process, automate, save and restore.
--
-- Run by run.sh, which prepares the private home, the scan and the environment. The first argument is a new folder
-- for the session. An error ends luasession with 1.
--
-- Each track carries Ardour's own noise generator, then Lockstep. Without a room Lockstep passes its track through,
-- so the track's meter shows whether it processes.

local folder = arg[1]
local STEREO = "4C6F636B7374657053746572656F4678"
local MULTI_OUT = "4C6F636B737465704D756C74694F7574"
local NOISE_DB = -18

local function check(holds, sentence)
	if not holds then
		error("FAILED: " .. sentence)
	end
	print("ok - " .. sentence)
end

-- The loudest sample of the track in the next half second, in dB. Behind Lockstep the track carries MIDI as well, which
-- Ardour meters before the audio.
local function loudest(track)
	track:peak_meter():reset_max()
	sleep(0.5)
	return track:peak_meter():meter_level(1, ARDOUR.MeterType.MeterMaxPeak)
end

local function is_whole(track)
	return math.abs(loudest(track) - NOISE_DB) < 0.1
end

-- A parameter's place in the plugin's list.
local function index_of(processor, name)
	local plugin = processor:to_insert():plugin(0)
	for index = 0, plugin:parameter_count() - 1 do
		local _, found = plugin:get_parameter_descriptor(index, ARDOUR.ParameterDescriptor())
		if found[2].label == name then
			return index
		end
	end
	error("FAILED: no parameter called " .. name)
end

local function value(processor, name)
	return (ARDOUR.LuaAPI.get_processor_param(processor, index_of(processor, name), true))
end

local function set(processor, name, plain)
	check(
		ARDOUR.LuaAPI.set_processor_param(processor, index_of(processor, name), plain),
		name .. " is set to " .. plain
	)
end

local function add_track(name, class)
	local track = s:new_audio_track(
		2, 2, nil, 1, name, ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, true
	):front()
	local noise = ARDOUR.LuaAPI.new_plugin(s, "ACE Noise", ARDOUR.PluginType.Lua, "")
	local lockstep = ARDOUR.LuaAPI.new_plugin(s, class, ARDOUR.PluginType.VST3, "")
	check(not lockstep:isnil(), name .. " is found by its class")
	check(track:add_processor_by_index(noise, 0, nil, true) == 0, "a noise generator is put before " .. name)
	check(track:add_processor_by_index(lockstep, 1, nil, true) == 0, name .. " is put on a track")
	return track, track:nth_plugin(1)
end

local function check_processing(name, class)
	local track, lockstep = add_track(name, class)
	check(is_whole(track), name .. " passes its track through")
	set(lockstep, "Monitor", 0)
	sleep(0.5)
	check(loudest(track) < -100, name .. " silences its track with Monitor at 0")
	set(lockstep, "Bypass", 1)
	sleep(0.5)
	check(is_whole(track), name .. " passes its track when bypassed")
	set(lockstep, "Bypass", 0)
	set(lockstep, "Monitor", 1)
	sleep(0.5)
	check(is_whole(track), name .. " passes its track again")
end

-- A ramp of Sync Delay over two seconds, played: the parameter must follow it.
local function check_automation(name)
	local lockstep = s:route_by_name(name):nth_plugin(1)
	local index = index_of(lockstep, "Sync Delay")
	local _, points, description = ARDOUR.LuaAPI.plugin_automation(lockstep, index)
	check(description.upper == 5000, name .. " has a Sync Delay of up to 5000 ms")
	for step = 0, 200 do
		local position = Temporal.timepos_t(math.floor(step * s:nominal_sample_rate() / 100))
		points:add(position, description.upper * step / 200, false, true)
	end
	local parameter = Evoral.Parameter(ARDOUR.AutomationType.PluginAutomation, 0, index)
	lockstep:to_automatable():automation_control(parameter, false):set_automation_state(ARDOUR.AutoState.Play)
	s:request_roll(ARDOUR.TransportRequestSource.TRS_UI)
	local distinct, last, rising = 0, -1, true
	for _ = 1, 100 do
		sleep(0.025)
		local now = value(lockstep, "Sync Delay")
		if now ~= last then
			distinct = distinct + 1
			rising = rising and now > last
			last = now
		end
	end
	check(s:transport_rolling(), "the transport rolls")
	check(distinct > 20 and rising, name .. " follows an automation curve through " .. distinct .. " values")
	check(last == 5000, "the curve ends at " .. last)
	s:request_stop(false, false, ARDOUR.TransportRequestSource.TRS_UI)
	sleep(0.5)
end

local function check_state()
	local expected = { ["Monitor"] = 0.5, ["Room Mode"] = 2, ["Mute Send"] = 1 }
	for _, track in ipairs({ "Lockstep", "Lockstep Multi-Out" }) do
		for name, plain in pairs(expected) do
			set(s:route_by_name(track):nth_plugin(1), name, plain)
		end
	end
	sleep(0.5)
	check(s:save_state("", false, false, false, false, false) == 0, "the session is saved")
	close_session()
	s = load_session(folder, "lockstep")
	assert(s)
	for _, track in ipairs({ "Lockstep", "Lockstep Multi-Out" }) do
		for name, plain in pairs(expected) do
			local restored = value(s:route_by_name(track):nth_plugin(1), name)
			check(math.abs(restored - plain) < 1e-4, track .. " is restored with " .. name .. " at " .. restored)
		end
		sleep(0.5)
		local level = loudest(s:route_by_name(track))
		check(math.abs(level - (NOISE_DB - 6.02)) < 0.1, track .. " sounds as restored")
	end
end

check(not AudioEngine:set_backend("None (Dummy)", "", ""):isnil(), "the dummy backend is there")
s = create_session(folder, "lockstep", 48000)
assert(s)
check_processing("Lockstep", STEREO)
check_processing("Lockstep Multi-Out", MULTI_OUT)
check_automation("Lockstep")
check_state()
close_session()
