//! What a program prints, on its way to the page.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::json::{quote, send};

/// The bytes that a run shows. A page is no place for more.
const SHOWN_MAX: usize = 1 << 18;
/// Output is sent once there is so much of it, or it has waited for so long.
const CHUNK: usize = 1 << 14;
const PATIENCE: Duration = Duration::from_millis(50);

/// The output of a program. Clones share it.
#[derive(Clone)]
pub(crate) struct Output(Rc<RefCell<Buffer>>);

struct Buffer {
    waiting: Vec<u8>,
    since: Instant,
    shown: usize,
    cut: usize,
}

impl Default for Output {
    fn default() -> Output {
        let buffer = Buffer { waiting: Vec::new(), since: Instant::now(), shown: 0, cut: 0 };
        Output(Rc::new(RefCell::new(buffer)))
    }
}

impl Buffer {
    fn send(&mut self) {
        if !self.waiting.is_empty() {
            let text = String::from_utf8_lossy(&self.waiting);
            send(&format!(r#"{{"type":"output","text":{}}}"#, quote(&text)));
            self.waiting.clear();
        }
        self.since = Instant::now();
    }
}

impl Output {
    /// Sends the rest, and how much was left out.
    pub(crate) fn end(&self) {
        let mut buffer = self.0.borrow_mut();
        buffer.send();
        if buffer.cut > 0 {
            send(&format!(r#"{{"type":"cut","bytes":{}}}"#, buffer.cut));
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut buffer = self.0.borrow_mut();
        if buffer.shown >= SHOWN_MAX {
            buffer.cut = buffer.cut.saturating_add(bytes.len());
            return Ok(bytes.len());
        }
        buffer.shown = buffer.shown.saturating_add(bytes.len());
        buffer.waiting.extend_from_slice(bytes);
        let is_line = bytes.ends_with(b"\n");
        if buffer.waiting.len() >= CHUNK || is_line && buffer.since.elapsed() >= PATIENCE {
            buffer.send();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.borrow_mut().send();
        Ok(())
    }
}
