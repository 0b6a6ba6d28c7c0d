//! Each public function is tested. The sources of the crate are parsed; a function
//! that works on a heap must have a row in the table of operations that random
//! programs run, and the row must call it. A function that needs no heap must be
//! called in the test module responsible for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, GenericArgument, Item, PathArguments, Type, Visibility};

/// Types and functions that need no heap, or only read its representation, with
/// the modules that test them.
const WITHOUT_ROWS: [(&str, &str); 33] = [
    ("Cursor", "cells.rs"),
    ("Cell", "cells.rs"),
    ("Error", "cells.rs"),
    ("DisplayStyle", "display.rs"),
    ("Heap::collect_to_retry", "collection/retries.rs"),
    ("Heap::retry_after_collect", "collection/retries.rs"),
    ("ShortStr", "cells.rs"),
    ("SnapshotNames", "observe/snapshot.rs"),
    ("Handle", "cells.rs"),
    ("Kind", "cells.rs"),
    ("abi::bits", "cells.rs"),
    ("abi::cell", "cells.rs"),
    ("abi::memory", "../src/testing/frame.rs"),
    ("abi::slots", "../src/testing/frame.rs"),
    ("abi::slot", "peaks.rs"),
    ("abi::block_words", "layout/mod.rs"),
    ("abi::generation_seed", "layout/mod.rs"),
    ("abi/bases", "layout/mod.rs"),
    ("abi/layout", "layout/facts.rs"),
    ("Bases", "layout/mod.rs"),
    ("CollectorStats", "collection/stats.rs"),
    ("IndexType", "memory.rs"),
    ("Memory", "memory.rs"),
    ("MemoryType", "memory.rs"),
    ("Writes", "testing.rs"),
    ("Frame", "testing.rs"),
    ("testing/frame", "testing.rs"),
    ("testing/graph", "testing.rs"),
    ("testing/program", "testing.rs"),
    ("testing/values", "testing.rs"),
    ("Graph", "testing.rs"),
    ("ObjectRecipe", "testing.rs"),
    ("Instruction", "testing.rs"),
];

/// The prefix of identifiers that stand for metavariables of macros.
const META: &str = "Meta_";

/// The public functions of the crate.
#[derive(Default)]
struct Functions {
    /// File by `Type::name`.
    found: BTreeMap<String, String>,
    /// The identifiers of each invocation of a macro, by name of the macro.
    invocations: BTreeMap<String, Vec<Vec<String>>>,
}

/// The Rust files of a folder and its subfolders.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn tests() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether there is an attribute `#[name(word)]`.
fn has(attributes: &[Attribute], name: &str, word: &str) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident(name)
            && attribute.parse_args::<Ident>().is_ok_and(|ident| ident == word)
    })
}

/// The name of a type without generic parameters: `View<Map>` for
/// `View<'_, Map>`, `View` for `View<'h, K>` where `K` is a parameter.
fn name_of(ty: &Type, generics: &[String]) -> Option<String> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let mut name = last.ident.to_string();
    if let PathArguments::AngleBracketed(arguments) = &last.arguments {
        for argument in &arguments.args {
            if let GenericArgument::Type(ty) = argument
                && let Some(argument) = name_of(ty, generics)
                && !generics.contains(&argument)
            {
                name = format!("{name}<{argument}>");
            }
        }
    }
    Some(name)
}

/// Makes the body of a macro parsable: metavariables become identifiers, and the
/// body of a repetition appears once.
fn without_metavariables(tokens: TokenStream) -> TokenStream {
    let mut out = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '$' => match tokens.next() {
                Some(TokenTree::Ident(ident)) => {
                    out.push(TokenTree::Ident(Ident::new(&format!("{META}{ident}"), ident.span())));
                }
                Some(TokenTree::Group(group)) => {
                    out.extend(without_metavariables(group.stream()));
                    // Skip the separator, if any, and the repetition operator.
                    while let Some(TokenTree::Punct(punct)) = tokens.next() {
                        if matches!(punct.as_char(), '*' | '+' | '?') {
                            break;
                        }
                    }
                }
                _ => {}
            },
            TokenTree::Group(group) => {
                let body = without_metavariables(group.stream());
                let group = Group::new(group.delimiter(), body);
                out.push(TokenTree::Group(group));
            }
            token => out.push(token),
        }
    }
    out.into_iter().collect()
}

/// The identifiers in a token stream, except those in attributes.
fn idents(tokens: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => found.push(ident.to_string()),
            TokenTree::Group(group) if group.delimiter() != Delimiter::Bracket => {
                found.extend(idents(group.stream()));
            }
            _ => {}
        }
    }
    found
}

impl Functions {
    fn of_crate() -> Functions {
        let mut functions = Functions::default();
        let src = tests().parent().unwrap().join("src");
        let parsed: Vec<(String, syn::File)> = sources(&src)
            .iter()
            .map(|path| {
                let name = path.strip_prefix(&src).unwrap();
                let source = fs::read_to_string(path).unwrap();
                (name.to_str().unwrap().to_owned(), syn::parse_file(&source).unwrap())
            })
            .collect();
        for item in parsed.iter().flat_map(|(_, file)| &file.items) {
            if let Item::Macro(item) = item
                && let Some(name) = item.mac.path.segments.last()
            {
                let all = idents(item.mac.tokens.clone());
                functions.invocations.entry(name.ident.to_string()).or_default().push(all);
            }
        }
        // The list of kinds is an invocation of `cfg_if!`, the one macro name whose
        // arguments rustfmt formats; there it is an alias of `kinds!`.
        let kinds = functions.invocations.remove("cfg_if").unwrap();
        functions.invocations.insert("kinds".to_owned(), kinds);
        for (file, parsed) in &parsed {
            functions.items(file, &parsed.items, None);
        }
        functions
    }

    fn items(&mut self, file: &str, items: &[Item], generated_by: Option<&str>) {
        for item in items {
            match item {
                Item::Mod(module) if !has(&module.attrs, "cfg", "test") => {
                    let items = module.content.as_ref().map_or(&[][..], |content| &content.1);
                    self.items(file, items, generated_by);
                }
                Item::Fn(function) if matches!(function.vis, Visibility::Public(_)) => {
                    let module = file.trim_end_matches(".rs");
                    self.add(file, module, &function.sig.ident, generated_by);
                }
                Item::Impl(item) if item.trait_.is_none() => {
                    let params = item.generics.params.iter();
                    let generics: Vec<String> = params
                        .filter_map(|param| match param {
                            syn::GenericParam::Type(param) => Some(param.ident.to_string()),
                            syn::GenericParam::Const(param) => Some(param.ident.to_string()),
                            syn::GenericParam::Lifetime(_) => None,
                        })
                        .collect();
                    let owner = name_of(&item.self_ty, &generics).unwrap();
                    for item in &item.items {
                        if let syn::ImplItem::Fn(function) = item
                            && matches!(function.vis, Visibility::Public(_))
                        {
                            self.add(file, &owner, &function.sig.ident, generated_by);
                        }
                    }
                }
                Item::Trait(item) if matches!(item.vis, Visibility::Public(_)) => {
                    let shown = !has(&item.attrs, "doc", "hidden");
                    for part in item.items.iter().filter(|_| shown) {
                        if let syn::TraitItem::Fn(function) = part
                            && !has(&function.attrs, "doc", "hidden")
                        {
                            self.add(
                                file,
                                &item.ident.to_string(),
                                &function.sig.ident,
                                generated_by,
                            );
                        }
                    }
                }
                Item::Macro(item) if item.mac.path.is_ident("macro_rules") => {
                    let name = item.ident.as_ref().unwrap().to_string();
                    self.rules(file, &name, item.mac.tokens.clone());
                }
                _ => {}
            }
        }
    }

    /// Adds the functions that a macro generates.
    fn rules(&mut self, file: &str, name: &str, rules: TokenStream) {
        let mut arrow = false;
        for token in rules {
            match token {
                TokenTree::Punct(punct) => arrow |= punct.as_char() == '>',
                TokenTree::Group(body) if arrow => {
                    arrow = false;
                    let body = without_metavariables(body.stream());
                    match syn::parse2::<syn::File>(body.clone()) {
                        Ok(parsed) => self.items(file, &parsed.items, Some(name)),
                        Err(error) => assert!(
                            !body.to_string().contains("pub fn"),
                            "{name}! generates functions and cannot be parsed: {error}"
                        ),
                    }
                }
                _ => {}
            }
        }
    }

    /// Adds a function; one that a macro generates, once for each invocation.
    fn add(&mut self, file: &str, owner: &str, name: &Ident, generated_by: Option<&str>) {
        let name = name.to_string();
        let invocations = match generated_by {
            Some(generated_by) => self.invocations[generated_by].clone(),
            None => vec![Vec::new()],
        };
        for idents in &invocations {
            // The first identifier is the type; a metavariable that names functions
            // has the prefix of their names.
            let first = idents.first().map_or("", String::as_str);
            let owner = owner.replace(&format!("{META}Kind"), first);
            let names: Vec<&String> = match name.strip_prefix(META) {
                Some(prefix) => idents.iter().filter(|ident| ident.starts_with(prefix)).collect(),
                None => vec![&name],
            };
            for name in names {
                assert!(!owner.contains(META), "{owner}::{name}: unknown metavariable");
                self.found.insert(format!("{owner}::{name}"), file.to_owned());
            }
        }
    }
}

/// The rows of the table in the source: names, and the contents of their closures.
#[derive(Default)]
struct Rows(Vec<(String, Contents)>);

impl<'s> Visit<'s> for Rows {
    fn visit_expr_method_call(&mut self, call: &'s syn::ExprMethodCall) {
        if call.method == "row"
            && let (Some(Expr::Lit(name)), Some(Expr::Closure(run))) =
                (call.args.first(), call.args.last())
            && let syn::Lit::Str(name) = &name.lit
        {
            let mut contents = Contents::default();
            contents.visit_expr(&run.body);
            self.0.push((name.value(), contents));
        }
        visit::visit_expr_method_call(self, call);
    }
}

/// The calls and identifiers in a closure. A call is `Type::name` if the type is
/// written out or is `Heap`, else `name`.
#[derive(Default)]
struct Contents {
    calls: BTreeSet<String>,
    idents: BTreeSet<String>,
}

impl Contents {
    /// Whether there may be a call of `Type::name` or `Type<Kind>::name`.
    fn calls(&self, owner: &str, name: &str) -> bool {
        let (owner, kind) = owner.trim_end_matches('>').split_once('<').unwrap_or((owner, ""));
        let method = owner != "Heap" && self.calls.contains(name);
        (method || self.calls.contains(&format!("{owner}::{name}")))
            && (kind.is_empty() || self.idents.contains(kind))
    }
}

impl<'s> Visit<'s> for Contents {
    fn visit_expr_method_call(&mut self, call: &'s syn::ExprMethodCall) {
        let name = &call.method;
        self.calls.insert(match &*call.receiver {
            Expr::Field(field) if matches!(&field.member, syn::Member::Named(field) if field == "heap") =>
            {
                format!("Heap::{name}")
            }
            Expr::Path(path) if path.path.is_ident("heap") => format!("Heap::{name}"),
            _ => name.to_string(),
        });
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &'s syn::ExprCall) {
        if let Expr::Path(path) = &*call.func {
            let names: Vec<String> =
                path.path.segments.iter().map(|part| part.ident.to_string()).collect();
            self.calls.insert(names.join("::"));
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_ident(&mut self, ident: &'s Ident) {
        self.idents.insert(ident.to_string());
    }
}

#[test]
fn every_public_function_is_run() {
    let source = |file: &str| fs::read_to_string(tests().join(file)).unwrap();
    let mut rows = Rows::default();
    for file in sources(&tests().join("machine/operations")) {
        rows.visit_file(&syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap());
    }
    let mut functions = Functions::of_crate().found;
    if !cfg!(feature = "getrandom") {
        functions.remove("Settings::try_random").unwrap();
    }
    if !cfg!(feature = "std") {
        functions.remove("Settings::random").unwrap();
        functions.remove("Heap::new").unwrap();
        functions.remove("Heap::step_for").unwrap();
        functions.remove("Heap::compact_step_for").unwrap();
        functions.remove("Heap::save_heap_snapshot").unwrap();
    }
    let (mut missing, mut heap) = (Vec::new(), BTreeSet::new());
    for (function, file) in &functions {
        let (owner, name) = function.rsplit_once("::").unwrap();
        match WITHOUT_ROWS.iter().find(|(part, _)| part == &owner || part == function) {
            Some((_, module)) => {
                let source = source(module);
                let called = [format!("{name}("), format!("{name}::<")];
                if !called.iter().any(|call| source.contains(call)) {
                    missing.push(format!("{function} ({file}) is not called in {module}"));
                }
            }
            None => {
                heap.insert(function.as_str());
                let mut named = rows.0.iter().filter(|(row, _)| row == function).peekable();
                // Rows of families of kinds are generated: only their names are seen.
                let generated = || crate::machine::table().names().any(|row| row == function);
                if named.peek().is_none() && !generated() {
                    missing.push(format!("{function} ({file}) has no row in the table"));
                }
                for (row, _) in named.filter(|(_, contents)| !contents.calls(owner, name)) {
                    missing.push(format!("the row {row} does not call {name}"));
                }
            }
        }
    }
    for name in crate::machine::table().names().filter(|name| !heap.contains(name)) {
        missing.push(format!("the row {name} is not a public function"));
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(heap.len() > 150, "only {} functions found", heap.len());
}
