//! Sends SIGINT to the prompt, which reads its inputs from a pipe.

#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Prints a text that the output does not buffer, so that it arrives while the program runs.
const STARTED: &str = "print(repeat(\"x\", 70000))";

const TIMEOUT: Duration = Duration::from_secs(60);

struct Prompt {
    child: Child,
    inputs: Option<ChildStdin>,
    output: ChildStdout,
}

impl Prompt {
    fn start() -> Prompt {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mochi"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (inputs, output) = (child.stdin.take(), child.stdout.take().unwrap());
        Prompt { child, inputs, output }
    }

    fn input(&mut self, line: &str) {
        let inputs = self.inputs.as_mut().unwrap();
        inputs.write_all(line.as_bytes()).unwrap();
        inputs.write_all(b"\n").unwrap();
    }

    /// Reads the text that [`STARTED`] prints. Its newline may still be in the buffer.
    fn wait_until_started(&mut self) {
        let mut text = [b'\n'];
        while text[0] == b'\n' {
            self.output.read_exact(&mut text).unwrap();
        }
        self.output.read_exact(&mut [0; 69_999]).unwrap();
    }

    fn interrupt(&self) {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until the process ends. Returns its status, standard output and standard error.
    fn end(mut self) -> (ExitStatus, String, String) {
        drop(self.inputs.take());
        let started = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(started.elapsed() < TIMEOUT, "the prompt does not end");
            thread::sleep(Duration::from_millis(5));
        }
        let (mut out, mut err) = (String::new(), String::new());
        self.output.read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap(), out, err)
    }
}

impl Drop for Prompt {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// Interrupts a program that does not end, in a prompt where `nested` holds itself twice, 60 deep.
fn stops(program: &str) {
    let mut prompt = Prompt::start();
    prompt.input("var a = 41");
    prompt.input("fun fib(n: int): int { return if n < 2 { n } else { fib(n - 1) + fib(n - 2) } }");
    prompt.input("var nested: list<any> = []");
    prompt.input("for i in 0..60 { nested = [nested, nested] }");
    prompt.input(&format!("a = a + 1 {STARTED} {program}"));
    prompt.wait_until_started();
    prompt.interrupt();
    prompt.input("print(a)");
    let (status, out, err) = prompt.end();
    assert_eq!(out, "\n42\n", "{program}: the state is lost: {status:?} {err}");
    assert_eq!(status.code(), Some(1), "{program}: {err}");
    assert_eq!(err.matches("interrupted").count(), 1, "{program}: {err}");
}

#[test]
fn loops_stop() {
    stops("while true {}");
    stops("while true { if a > 0 { continue } }");
    stops("for i in 0..9000000000000000000 {}");
    stops("for i in range(0, 100000) { for j in range(0, 100000) { let s = str(j) } }");
}

#[test]
fn calls_stop() {
    stops("let n = 90 print(from x in [n] where fib(x) > 0 select x)");
    stops("let f = fun(n: int): int => fib(n) print(f(90))");
}

#[test]
fn builtins_stop() {
    stops("print(nested)");
    stops("let text = str(nested)");
    stops("let keyed = { \"key\": 1 } print(nested in keyed)");
    let lists = "list<".repeat(50) + "any" + &">".repeat(50);
    stops(&format!("print(len(nested as {lists}))"));
}

#[test]
fn the_value_of_an_input_stops() {
    stops("nested");
}

#[test]
fn a_later_interrupt_stops_a_later_input() {
    let mut prompt = Prompt::start();
    for _ in 0..3 {
        prompt.input(&format!("{STARTED} while true {{}}"));
        prompt.wait_until_started();
        prompt.interrupt();
    }
    let (status, _, err) = prompt.end();
    assert_eq!((status.code(), err.matches("interrupted").count()), (Some(1), 3), "{err}");
}

/// Sends interrupts until the process ends: the first may arrive while an input is evaluated.
fn ends(mut prompt: Prompt) {
    let started = Instant::now();
    while prompt.child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < TIMEOUT, "the prompt does not end");
        prompt.interrupt();
        thread::sleep(Duration::from_millis(20));
    }
    let (status, _, err) = prompt.end();
    assert_eq!((status.code(), err.as_str()), (Some(130), ""));
}

#[test]
fn waiting_for_input_ends() {
    let mut prompt = Prompt::start();
    prompt.input(STARTED);
    prompt.wait_until_started();
    ends(prompt);

    let mut prompt = Prompt::start();
    prompt.input(&format!("{STARTED} let line = input()"));
    prompt.wait_until_started();
    ends(prompt);
}
