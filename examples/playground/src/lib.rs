//! The Mochi VM as a module for wasm32-wasip1, which a Web Worker runs.
//!
//! The module has one export besides its memory, [`request`]. What is requested are the arguments of
//! the process, and standard output has the replies, a JSON object a line. So no address crosses the border.
//!
//! | Arguments | Replies |
//! |---|---|
//! | `run LIMIT SOURCE` | `output`, `sample` and at the end `done`, or `failure` |
//! | `collect` | `sample` |
//! | `roots` | `roots` |
//! | `objects KIND FROM` | `objects` |
//! | `object CELL FROM` | `object`, or `gone` |
//! | `why CELL` | `why`, or `gone` |
//!
//! A `CELL` has the hexadecimal bits of a handle. A program reads its input from standard input.

mod inspect;
mod json;
mod map;
mod output;
mod sample;

use std::cell::RefCell;
use std::rc::Rc;

use segheap::{Heap, Limits, Settings};
use segheap_mochi::{Failure, Session};

use crate::json::{list, quote, send};
use crate::output::Output;
use crate::sample::Sampler;

/// The events that a heap keeps between two collections.
const EVENTS: usize = 64;

/// A program that has run, for those who look at its heap.
struct Run {
    session: Session,
    sampler: Rc<RefCell<Sampler>>,
}

thread_local! {
    static LAST: RefCell<Option<Run>> = const { RefCell::new(None) };
}

/// Does what the arguments of the process ask for.
#[unsafe(no_mangle)]
pub extern "C" fn request() {
    let arguments: Vec<String> = std::env::args().collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let known = LAST.with_borrow_mut(|last| match (arguments.as_slice(), last) {
        (["run", limit, source], last) => {
            let limit = limit.parse().unwrap_or(usize::MAX);
            // The heap of the program before is freed first.
            *last = None;
            *last = Some(run(limit, source));
            true
        }
        (request, Some(run)) => inspect::reply(run, request),
        _ => false,
    });
    if !known {
        send(r#"{"type":"unknown"}"#);
    }
}

fn run(limit: usize, source: &str) -> Run {
    let heap = Heap::with(Settings::random().limits(Limits::NONE.with_bytes(limit)));
    let output = Output::default();
    let mut session = Session::new(heap, Box::new(output.clone()), limit);
    // Without room for events, the time line stays empty; the program will not get far.
    let _ = session.heap_mut().record_events(EVENTS);
    let sampler = Rc::new(RefCell::new(Sampler::default()));
    let observer = Rc::clone(&sampler);
    session.observe(move |heap| observer.borrow_mut().after_collection(heap));
    let result = session.run(source);
    sampler.borrow_mut().send(session.heap_mut());
    output.end();
    match result {
        Ok(()) => send(r#"{"type":"done"}"#),
        Err(failure) => send(&described(&failure)),
    }
    Run { session, sampler }
}

fn described(failure: &Failure) -> String {
    let calls = failure.trace.iter().take(8).map(|(function, at)| {
        format!(r#"{{"function":{},"line":{},"column":{}}}"#, quote(function), at.line, at.column)
    });
    format!(
        r#"{{"type":"failure","message":{},"line":{},"column":{},"length":{},"calls":{},"depth":{}}}"#,
        quote(&failure.message),
        failure.at.line,
        failure.at.column,
        failure.len,
        list(calls),
        failure.trace.len()
    )
}
