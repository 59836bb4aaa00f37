"""A pymidi server that says what it hears, a line each."""

import logging
import sys

from pymidi.server import Handler, Server

logging.basicConfig(level=logging.WARNING, stream=sys.stderr)


class Sayer(Handler):
    def on_peer_connected(self, peer):
        print("connected", peer.name, flush=True)

    def on_peer_disconnected(self, peer):
        print("disconnected", peer.name, flush=True)

    def on_midi_commands(self, peer, command_list):
        for command in command_list:
            params = command.params
            if command.command == "note_on" or command.command == "note_off":
                said = (int(params.key), params.velocity)
            elif command.command == "aftertouch":
                said = (int(params.key), params.touch)
            elif command.command == "control_mode_change":
                said = (params.controller, params.value)
            else:
                said = tuple(params.unknown)
            print("command", command.command_byte, *said, flush=True)


server = Server([("127.0.0.1", int(sys.argv[1]))])
server.add_handler(Sayer())
print("listening", flush=True)
server.serve_forever()
