//! The program as text, for `--emit`.

use std::fmt::Write;

use crate::bytecode::{Op, Program};

impl Program {
    /// Disassembles the program.
    pub(crate) fn listing(&self) -> String {
        let mut text = String::new();
        for (n, function) in self.functions.iter().enumerate() {
            let [i, f, c, h] = function.frame_size;
            let _ =
                writeln!(text, "function {n} {:?}: {i} i, {f} f, {c} c, {h} hints", function.name);
            for (pc, op) in function.code.iter().enumerate() {
                let annotation = self
                    .annotation(*op)
                    .map_or(String::new(), |annotation| format!("; {annotation}"));
                let line = format!("{pc:>5}  {:<28} {annotation}", format!("{op:?}"));
                let _ = writeln!(text, "{}", line.trim_end());
            }
            text.push('\n');
        }
        text
    }

    /// The constant, function or type that an instruction refers to by its index.
    fn annotation(&self, op: Op) -> Option<String> {
        Some(match op {
            Op::ConstC(_, k) | Op::GetNamed(_, _, k) | Op::SetNamed(_, _, k) => {
                format!("{:?}", self.constants.get(usize::from(k))?)
            }
            Op::ConstF(_, k) => {
                f64::from_bits(*self.numbers.get(usize::from(k))? as u64).to_string()
            }
            Op::ConstI(_, k) => self.numbers.get(usize::from(k))?.to_string(),
            Op::Call(f, ..) | Op::Closure(_, _, _, f) => {
                self.functions.get(usize::from(f))?.name.clone()
            }
            Op::NewStruct(_, _, _, s)
            | Op::GetField(_, _, _, s)
            | Op::SetField(_, _, _, s)
            | Op::IsShape(_, _, s) => self.shapes.get(usize::from(s))?.name.clone(),
            _ => return None,
        })
    }
}
