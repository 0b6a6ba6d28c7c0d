//! [`Json`]: a writer of JSON that collects small parts into larger ones.

use core::fmt;

use crate::words::to_u64;

/// Bytes that are collected before the writer is called.
const BUFFER: usize = 4096;
/// The digits of a word.
const DIGITS: usize = 20;

/// Writes JSON in parts of up to 4 KiB.
pub(super) struct Json<'w, W: ?Sized> {
    out: &'w mut W,
    /// The first `len` bytes are text.
    buffer: [u8; BUFFER],
    len: usize,
}

impl<'w, W: fmt::Write + ?Sized> Json<'w, W> {
    pub(super) fn new(out: &'w mut W) -> Self {
        Json { out, buffer: [0; BUFFER], len: 0 }
    }

    /// Writes text as it is.
    pub(super) fn raw(&mut self, text: &str) -> fmt::Result {
        if text.len() > BUFFER.saturating_sub(self.len) {
            self.flush()?;
        }
        let end = self.len.saturating_add(text.len());
        match self.buffer.get_mut(self.len..end) {
            Some(place) => {
                place.copy_from_slice(text.as_bytes());
                self.len = end;
                Ok(())
            }
            None => self.out.write_str(text),
        }
    }

    /// Writes a number.
    #[inline]
    pub(super) fn number(&mut self, mut number: u64) -> fmt::Result {
        let (mut digits, mut first) = ([0_u8; DIGITS], DIGITS);
        loop {
            first = first.saturating_sub(1);
            if let (Some(place), Ok(digit)) = (digits.get_mut(first), u8::try_from(number % 10)) {
                *place = digit | b'0';
            }
            number /= 10;
            if number == 0 {
                break;
            }
        }
        let digits = digits.get(first..).and_then(|digits| core::str::from_utf8(digits).ok());
        self.raw(digits.unwrap_or("0"))
    }

    /// Writes numbers with commas between them, and `before` first.
    #[inline]
    pub(super) fn numbers(&mut self, before: &str, numbers: &[u64]) -> fmt::Result {
        let mut before = before;
        for &number in numbers {
            self.raw(before)?;
            self.number(number)?;
            before = ",";
        }
        Ok(())
    }

    /// Writes a string, quoted and escaped.
    pub(super) fn string(&mut self, text: &str) -> fmt::Result {
        self.raw("\"")?;
        let is_escaped = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
        let mut rest = text;
        while let Some(at) = rest.bytes().position(is_escaped) {
            let (plain, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
            self.raw(plain)?;
            let mut chars = tail.chars();
            match chars.next() {
                Some('"') => self.raw("\\\"")?,
                Some('\\') => self.raw("\\\\")?,
                Some('\n') => self.raw("\\n")?,
                Some(control) => self.escape(u64::from(u32::from(control)))?,
                None => {}
            }
            rest = chars.as_str();
        }
        self.raw(rest)?;
        self.raw("\"")
    }

    /// Writes a control character by its number, of two hexadecimal digits.
    fn escape(&mut self, number: u64) -> fmt::Result {
        const DIGITS: &str = "0123456789abcdef";
        self.raw("\\u00")?;
        for digit in [number >> 4 & 15, number & 15] {
            let at = usize::try_from(digit).unwrap_or(0);
            self.raw(DIGITS.get(at..at.saturating_add(1)).unwrap_or("0"))?;
        }
        Ok(())
    }

    /// Passes on what was collected.
    pub(super) fn flush(&mut self) -> fmt::Result {
        let text = self.buffer.get(..self.len).unwrap_or_default();
        debug_assert!(to_u64(text.len()) == to_u64(self.len), "it fits");
        self.len = 0;
        self.out.write_str(core::str::from_utf8(text).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::Json;

    fn written(write: impl FnOnce(&mut Json<'_, String>) -> core::fmt::Result) -> String {
        let mut out = String::new();
        let mut json = Json::new(&mut out);
        write(&mut json).and_then(|()| json.flush()).unwrap();
        out
    }

    #[test]
    fn numbers_have_all_digits() {
        for number in [0, 9, 10, 99, 1_000, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(written(|json| json.number(number)), alloc::format!("{number}"));
        }
        assert_eq!(written(|json| json.numbers("\n", &[1, 20, 3])), "\n1,20,3");
    }

    #[test]
    fn strings_are_escaped() {
        let text = "a\"b\\c\nd\u{0}\u{1f}é🦀";
        assert_eq!(written(|json| json.string(text)), r#""a\"b\\c\nd\u0000\u001fé🦀""#);
    }

    #[test]
    fn long_texts_pass_whole() {
        for len in [4095, 4096, 4097, 10_000] {
            let text: String = core::iter::repeat_n('é', len).collect();
            let out = written(|json| {
                json.raw("[")?;
                json.string(&text)?;
                json.raw("]")
            });
            assert_eq!(out, alloc::format!("[\"{text}\"]"));
        }
    }
}
