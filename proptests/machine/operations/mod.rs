//! The table of operations. Each public function of the crate that works on a
//! heap has rows: its name, what it takes, what it may do, and a closure that
//! calls it. `coverage` parses this folder and checks that the closure of a row
//! calls the function that the row is named after.

mod constructors;
mod heaps;
mod lifecycle;
mod routes;
mod tables;
mod values;
mod views;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::OnceLock;

use segheap::Cell;

use super::{Call, Effect, Machine, Outcome, Takes};

/// A public function with certain kinds as its type parameters.
#[derive(Debug)]
pub struct Operation {
    pub name: &'static str,
    pub takes: Vec<Takes>,
    pub effects: Vec<Effect>,
    pub run: fn(&mut Machine, &Call) -> Outcome,
}

/// All operations by name. Programs pick a name first, so each function is equally
/// likely, however many rows it has.
#[derive(Debug, Default)]
pub struct Table(BTreeMap<&'static str, Vec<Operation>>);

pub fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(Table::new)
}

impl Table {
    pub fn pick(&self, n: u16) -> &Operation {
        let n = usize::from(n);
        let rows = self.0.values().nth(n % self.0.len()).unwrap();
        &rows[n / self.0.len() % rows.len()]
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }

    pub fn rows(&self) -> impl Iterator<Item = &Operation> {
        self.0.values().flatten()
    }

    fn row(
        &mut self,
        name: &'static str,
        takes: &[Takes],
        effects: &[Effect],
        run: fn(&mut Machine, &Call) -> Outcome,
    ) {
        let (takes, effects) = (takes.to_vec(), effects.to_vec());
        self.0.entry(name).or_default().push(Operation { name, takes, effects, run });
    }

    fn new() -> Table {
        let mut table = Table::default();
        let t = &mut table;
        heaps::rows(t);
        constructors::rows(t);
        values::rows(t);
        lifecycle::rows(t);
        views::rows_of_one_kind(t);
        tables::rows(t);
        views::rows_of_each_kind(t);
        routes::rows(t);
        table
    }
}

fn show(value: impl Debug) -> Outcome {
    Ok(format!("{value:?}"))
}

/// An element, made from the arguments of an instruction.
trait Element: Copy + Debug {
    fn of(call: &Call) -> Self;
}

impl Element for Cell {
    fn of(call: &Call) -> Cell {
        call.cell(1)
    }
}

impl Element for u8 {
    fn of(call: &Call) -> u8 {
        call.int().to_le_bytes()[0]
    }
}

impl Element for u64 {
    fn of(call: &Call) -> u64 {
        call.int().cast_unsigned()
    }
}

impl Element for i64 {
    fn of(call: &Call) -> i64 {
        call.int()
    }
}

impl Element for f64 {
    fn of(call: &Call) -> f64 {
        call.float()
    }
}

/// Returns a few equal elements.
fn elements<E: Element>(call: &Call) -> Vec<E> {
    vec![E::of(call); call.small()]
}

/// A sort key with many ties, independent of generations.
fn rank(cell: Cell) -> usize {
    format!("{cell:?}").len() % 4
}
