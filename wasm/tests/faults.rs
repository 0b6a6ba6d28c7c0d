//! Faults of the guest's checks: a comparison is replaced by one that differs in some cases, and
//! random calls have to show it.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may panic"
)]

mod support;

use segheap_wasm::Options;
use support::calls::{Call, call};
use support::guest::{Guest, engine};
use support::heap::subject;
use support::rng::Rng;
use wasmparser::{Operator, Parser, Payload};

/// The byte of what replaces a comparison, with the same operands: of keys, `>=` for `==`; of an
/// index and the length, `>` for `>=`; of the flags of a slot, `==` for `>`.
fn fault(operator: &Operator<'_>) -> Option<u8> {
    match operator {
        Operator::I32Eq => Some(0x4F),
        Operator::I32GeU => Some(0x4B),
        Operator::I32GtU => Some(0x46),
        _ => None,
    }
}

/// The functions with these ends of names, and the places of their comparisons but the first:
/// a slot beyond the last one has the key of no handle.
fn faults(module: &[u8]) -> Vec<(String, usize, u8)> {
    let (mut names, mut found, mut function) = (Vec::new(), Vec::new(), 0);
    for payload in Parser::new(0).parse_all(module) {
        match payload.unwrap() {
            Payload::ExportSection(exports) => {
                for export in exports.into_iter().map(Result::unwrap) {
                    let is_access = ["_get", "_set"].iter().any(|end| export.name.ends_with(end));
                    if is_access && export.name != "map_get" {
                        names.push((export.index, export.name.to_owned()));
                    }
                }
            }
            Payload::CodeSectionEntry(body) => {
                let name = names.iter().find(|(index, _)| *index == function);
                let operators = body.get_operators_reader().unwrap().into_iter_with_offsets();
                let places = operators.map(Result::unwrap).filter_map(|(operator, at)| {
                    Some((name?.1.clone(), at as usize, fault(&operator)?))
                });
                found.extend(places.skip(1));
                function += 1;
            }
            _ => {}
        }
    }
    found
}

#[test]
fn faults_of_comparisons_are_found() {
    const CALLS: usize = 30_000;
    let mut subject = subject(7, 600);
    let module = Options::new().hash_seed(7).to_module(&mut subject.heap).unwrap();
    let rng = &mut Rng(7);
    let calls: Vec<Call> = (0..CALLS).map(|_| call(&mut subject, rng)).collect();
    let (engine, all) = (engine(), faults(&module));
    let missed: Vec<_> = all
        .iter()
        .filter(|&&(_, at, byte)| {
            let mut module = module.clone();
            module[at] = byte;
            let mut guest = Guest::new(&engine, &module);
            let differs = |call: &Call| guest.try_call(call) != Some((call.status, call.result));
            !calls.iter().any(differs)
        })
        .collect();
    assert!(all.len() >= 30 && missed.is_empty(), "of {}: {missed:?}", all.len());
}
