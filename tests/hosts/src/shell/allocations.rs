//! Counts what the audio thread allocates and frees, the plugin's library included.
//!
//! A Rust library has its own global allocator, so one in this binary would not see it. But both end in the C
//! library's `malloc`, and a definition in the executable goes before the C library's, for every library that is
//! loaded: these count on the thread and in the span that is watched, and pass on to the real ones. What is not seen:
//! memory taken straight from the kernel (`mmap`), and other threads.
#![expect(unsafe_code, reason = "these stand in for the C library's functions of the same names")]

use core::cell::Cell;
use core::ffi::{c_int, c_void};

/// What the report says was counted.
pub(crate) const COUNTED: &str = "calls of the C library's malloc family by host and plugin on the audio thread \
                                  inside process";

/// Calls counted on this thread while watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Memory taken, or grown.
    pub(crate) allocations: u64,
    /// Memory given back.
    pub(crate) frees: u64,
}

#[derive(Clone, Copy)]
enum Watch {
    Off,
    On(Count),
}

thread_local! {
    static WATCH: Cell<Watch> = const { Cell::new(Watch::Off) };
}

/// Counts what `call` allocates and frees on this thread.
pub(crate) fn counted<T>(call: impl FnOnce() -> T) -> (T, Count) {
    WATCH.set(Watch::On(Count::default()));
    let result = call();
    let count = match WATCH.replace(Watch::Off) {
        Watch::On(count) => count,
        Watch::Off => Count::default(),
    };
    (result, count)
}

fn note(change: impl FnOnce(&mut Count)) {
    if let Watch::On(mut count) = WATCH.get() {
        change(&mut count);
        WATCH.set(Watch::On(count));
    }
}

fn note_allocation() {
    note(|count| count.allocations += 1);
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod replaced {
    use super::{c_int, c_void, note, note_allocation};

    const OUT_OF_MEMORY: c_int = 12;

    unsafe extern "C" {
        fn __libc_malloc(size: usize) -> *mut c_void;
        fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
        fn __libc_realloc(memory: *mut c_void, size: usize) -> *mut c_void;
        fn __libc_memalign(alignment: usize, size: usize) -> *mut c_void;
        fn __libc_free(memory: *mut c_void);
    }

    #[unsafe(no_mangle)]
    extern "C" fn malloc(size: usize) -> *mut c_void {
        note_allocation();
        // SAFETY: the C library's own function under its other name.
        unsafe { __libc_malloc(size) }
    }

    #[unsafe(no_mangle)]
    extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
        note_allocation();
        // SAFETY: as in `malloc`.
        unsafe { __libc_calloc(count, size) }
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn realloc(memory: *mut c_void, size: usize) -> *mut c_void {
        note_allocation();
        // SAFETY: as in `malloc`; the caller's pointer came from the same allocator.
        unsafe { __libc_realloc(memory, size) }
    }

    #[unsafe(no_mangle)]
    extern "C" fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void {
        note_allocation();
        // SAFETY: as in `malloc`.
        unsafe { __libc_memalign(alignment, size) }
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn posix_memalign(place: *mut *mut c_void, alignment: usize, size: usize) -> c_int {
        note_allocation();
        // SAFETY: as in `malloc`.
        let memory = unsafe { __libc_memalign(alignment, size) };
        if memory.is_null() {
            return OUT_OF_MEMORY;
        }
        // SAFETY: the caller passes a place for the pointer.
        unsafe { *place = memory };
        0
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn free(memory: *mut c_void) {
        if !memory.is_null() {
            note(|count| count.frees += 1);
        }
        // SAFETY: as in `realloc`.
        unsafe { __libc_free(memory) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allocation_and_its_release_are_counted() {
        let (_, count) = counted(|| drop(std::hint::black_box(Box::new(1_u8))));
        assert_eq!(count, Count { allocations: 1, frees: 1 });
    }

    #[test]
    fn work_without_memory_counts_nothing() {
        let (sum, count) = counted(|| std::hint::black_box(1) + 1);
        assert_eq!((sum, count), (2, Count::default()));
    }
}
