//! The prompt at a terminal: what is typed goes through a pseudo-terminal.

#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(60);

struct Terminal {
    child: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    /// What was shown and not expected yet.
    shown: String,
}

impl Terminal {
    /// Starts the prompt, and waits until it reads.
    fn start() -> Terminal {
        let pty = nix::pty::openpty(None, None).unwrap();
        let stdio = || Stdio::from(pty.slave.try_clone().unwrap());
        let child = Command::new(env!("CARGO_BIN_EXE_mochi"))
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio())
            .env("TERM", "xterm")
            .spawn()
            .unwrap();
        drop(pty.slave);
        let keyboard = File::from(pty.master);
        let mut master = keyboard.try_clone().unwrap();
        let (sender, screen) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(len @ 1..) = master.read(&mut bytes) {
                let shown = bytes.get(..len).unwrap_or_default().to_vec();
                if sender.send(shown).is_err() {
                    break;
                }
            }
        });
        let mut terminal = Terminal { child, keyboard, screen, shown: String::new() };
        let banner = terminal.expect("mochi> ");
        assert!(banner.contains(":help"), "{banner:?}");
        terminal
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until a text is shown. Returns what was shown before it.
    fn expect(&mut self, text: &str) -> String {
        let started = Instant::now();
        loop {
            if let Some((before, after)) = self.shown.split_once(text) {
                let (before, after) = (before.to_owned(), after.to_owned());
                self.shown = after;
                return before;
            }
            let left = TIMEOUT.saturating_sub(started.elapsed());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => panic!("{error}: no {text:?} in {:?}", self.shown),
            }
        }
    }

    /// Types an input. Returns what is shown until the next prompt.
    fn input(&mut self, line: &str) -> String {
        self.press(line);
        self.press("\r");
        self.expect("\n");
        self.expect("mochi> ")
    }

    fn interrupt(&self) {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn brackets_in_texts_are_no_brackets() {
    let mut prompt = Terminal::start();
    for (line, shown) in [
        ("print(\"a{b\")", "a{b"),
        ("1 + 1", "2"),
        ("print(\"(\", \"[\") # {", "( ["),
        ("\"\\\"{\"", "{"),
        ("2 + 2", "4"),
    ] {
        let answer = prompt.input(line);
        assert!(answer.contains(shown), "{line}: {answer:?}");
    }
}

#[test]
fn an_open_bracket_continues_the_input() {
    let mut prompt = Terminal::start();
    prompt.press("fun twice(n: int): int {\r");
    prompt.expect("...> ");
    prompt.press("return n * 2\r");
    prompt.expect("...> ");
    prompt.input("}");
    assert!(prompt.input("twice(21)").contains("42"));
}

#[test]
fn names_are_completed_and_inputs_come_back() {
    let mut prompt = Terminal::start();
    prompt.input("let quokka = 41");
    assert!(prompt.input("print(quo\t + 1)").contains("42"));
    assert!(prompt.input("\u{1b}[A").contains("42"));
    let shown = prompt.input("parseI\t(\"101\", 2) + 1");
    assert!(shown.contains('6'), "{shown:?}");
}

#[test]
fn commands() {
    let mut prompt = Terminal::start();
    let help = prompt.input(":help");
    assert!(help.contains("Ctrl-C") && help.contains("Tab"), "{help:?}");
    assert!(prompt.input(":nothing").contains(":help"));
    assert!(prompt.input("20 + 22").contains("42"));
}

#[test]
fn a_message_is_shown_once() {
    let mut prompt = Terminal::start();
    let shown = prompt.input("print(nothing)");
    assert_eq!(shown.matches("undefined variable or function").count(), 1, "{shown:?}");
}

#[test]
fn interrupts_stop_the_program_and_keep_its_state() {
    let mut prompt = Terminal::start();
    prompt.input("var a = 41");
    prompt.press("print(\"go\" + \"es\") a = a + 1 print(repeat(\"x\", 70000)) while true {}\r");
    prompt.expect("xxxxx");
    prompt.interrupt();
    let shown = prompt.expect("mochi> ");
    assert_eq!(shown.matches("interrupted").count(), 1);
    assert!(prompt.input("a").contains("42"));
    // While the prompt waits, it clears the input.
    prompt.press("print(12");
    prompt.press("\u{3}");
    prompt.expect("Ctrl-D ends the prompt");
    prompt.expect("mochi> ");
    assert!(prompt.input("a + 1").contains("43"));
}
