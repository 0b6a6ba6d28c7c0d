//! Each guarantee of MEP-41.md names tests, and these tests exist.

use std::fs;
use std::path::Path;

/// The source of a module: a file, or the `mod.rs` of a folder.
fn module(path: &[&str]) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let module = path.iter().fold(root.to_owned(), |folder, part| folder.join(part));
    let files = [module.with_extension("rs"), module.join("mod.rs")];
    files.iter().find_map(|file| fs::read_to_string(file).ok())
}

#[test]
fn every_clause_has_tests_that_exist() {
    let statement = include_str!("../MEP-41.md");
    let section = statement.split("## 8. ").nth(1).unwrap();
    for guarantee in 1..=12 {
        let row = section.lines().find(|line| line.starts_with(&format!("| G{guarantee} |")));
        let row = row.unwrap_or_else(|| panic!("G{guarantee} has no row"));
        let tests: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "G{guarantee} names no test");
        for test in tests {
            let path: Vec<&str> = test.split("::").collect();
            let (name, path) = path.split_last().unwrap();
            let source = module(path).unwrap_or_else(|| panic!("{test}: no such module"));
            let is_test = source.contains(&format!("fn {name}("))
                || source.lines().any(|line| line.trim_start().starts_with(&format!("{name}:")))
                || source.lines().any(|line| line.trim() == format!("{name},"));
            assert!(is_test || is_generated(&source, name), "{test}: no such test");
        }
    }
}

/// Whether a macro of the module may generate a test of this name.
fn is_generated(source: &str, name: &str) -> bool {
    source.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == name)
        && source.contains("macro_rules!")
}
