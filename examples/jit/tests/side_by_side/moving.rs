//! An allocator that moves what grows, and overwrites what it frees: code that goes on with an
//! address from before finds other elements there.

use std::alloc::{GlobalAlloc, Layout, System};

pub struct Moving;

/// No element of a test.
const FREED: u8 = 0xDB;

// SAFETY: memory comes from `System`, and goes back to it with the same layout.
unsafe impl GlobalAlloc for Moving {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the contract of this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the contract of this function.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller gives memory of this layout, which nothing uses any more. The writes
        // are volatile, as a compiler may leave out others before a deallocation.
        unsafe {
            for place in 0..layout.size() / 8 {
                memory.cast::<[u8; 8]>().add(place).write_volatile([FREED; 8]);
            }
            System.dealloc(memory, layout);
        }
    }
    // `realloc` is that of the trait: it allocates, copies and frees.
}
