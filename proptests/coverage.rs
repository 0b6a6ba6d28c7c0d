//! No public function is forgotten: every one that the sources declare is a row
//! of the table that random programs run, and the row calls it; what needs no
//! heap is called by the module that answers for its file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, GenericArgument, Item, PathArguments, Type, Visibility};

/// What needs no heap, or only looks at its bits, and the modules that answer for
/// it.
const ELSEWHERE: [(&str, &str); 10] = [
    ("Cell", "cells.rs"),
    ("ShortStr", "cells.rs"),
    ("Handle", "cells.rs"),
    ("Kind", "cells.rs"),
    ("abi::memory", "machine/frame.rs"),
    ("abi::slots", "machine/frame.rs"),
    ("abi", "cells.rs"),
    ("IndexType", "memory.rs"),
    ("Memory", "memory.rs"),
    ("MemoryType", "memory.rs"),
];

/// What a metavariable of a macro is called once it is an identifier.
const META: &str = "Meta_";

/// The public functions of some sources: `Type::name`, and the file.
#[derive(Default)]
struct Functions {
    found: BTreeMap<String, String>,
    /// Macros by name: the first identifier of each invocation, and all of them.
    invocations: BTreeMap<String, Vec<Vec<String>>>,
}

fn sources(of: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(of).unwrap() {
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

fn has(attributes: &[Attribute], name: &str, word: &str) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident(name)
            && attribute.parse_args::<Ident>().is_ok_and(|ident| ident == word)
    })
}

/// `View<Map>` of `View<'_, Map>`, `View` of `View<'h, K>` where `K` is generic.
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

/// A macro's body as if it were no macro's: metavariables become identifiers,
/// repetitions are there once.
fn plain(tokens: TokenStream) -> TokenStream {
    let mut out = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '$' => match tokens.next() {
                Some(TokenTree::Ident(ident)) => {
                    out.push(TokenTree::Ident(Ident::new(&format!("{META}{ident}"), ident.span())));
                }
                Some(TokenTree::Group(group)) => {
                    out.extend(plain(group.stream()));
                    // The separator, if there is one, and the sign.
                    while let Some(TokenTree::Punct(punct)) = tokens.next() {
                        if matches!(punct.as_char(), '*' | '+' | '?') {
                            break;
                        }
                    }
                }
                _ => {}
            },
            TokenTree::Group(group) => {
                let group = Group::new(group.delimiter(), plain(group.stream()));
                out.push(TokenTree::Group(group));
            }
            token => out.push(token),
        }
    }
    out.into_iter().collect()
}

/// The identifiers of some tokens, attributes left out.
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
        // The list of kinds is invoked by the one name that rustfmt looks into.
        let kinds = functions.invocations.remove("cfg_if").unwrap();
        functions.invocations.insert("kinds".to_owned(), kinds);
        for (file, parsed) in &parsed {
            functions.items(file, &parsed.items, None);
        }
        functions
    }

    fn items(&mut self, file: &str, items: &[Item], of_macro: Option<&str>) {
        for item in items {
            match item {
                Item::Mod(module) if !has(&module.attrs, "cfg", "test") => {
                    let items = module.content.as_ref().map_or(&[][..], |content| &content.1);
                    self.items(file, items, of_macro);
                }
                Item::Fn(function) if matches!(function.vis, Visibility::Public(_)) => {
                    let module = file.trim_end_matches(".rs");
                    self.add(file, module, &function.sig.ident, of_macro);
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
                    let of = name_of(&item.self_ty, &generics).unwrap();
                    for item in &item.items {
                        if let syn::ImplItem::Fn(function) = item
                            && matches!(function.vis, Visibility::Public(_))
                        {
                            self.add(file, &of, &function.sig.ident, of_macro);
                        }
                    }
                }
                Item::Trait(item) if matches!(item.vis, Visibility::Public(_)) => {
                    let shown = !has(&item.attrs, "doc", "hidden");
                    for part in item.items.iter().filter(|_| shown) {
                        if let syn::TraitItem::Fn(function) = part
                            && !has(&function.attrs, "doc", "hidden")
                        {
                            self.add(file, &item.ident.to_string(), &function.sig.ident, of_macro);
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

    /// The functions that a macro makes.
    fn rules(&mut self, file: &str, name: &str, rules: TokenStream) {
        let mut arrow = false;
        for token in rules {
            match token {
                TokenTree::Punct(punct) => arrow |= punct.as_char() == '>',
                TokenTree::Group(body) if arrow => {
                    arrow = false;
                    let body = plain(body.stream());
                    match syn::parse2::<syn::File>(body.clone()) {
                        Ok(parsed) => self.items(file, &parsed.items, Some(name)),
                        Err(error) => assert!(
                            !body.to_string().contains("pub fn"),
                            "{name}! makes functions, and cannot be read: {error}"
                        ),
                    }
                }
                _ => {}
            }
        }
    }

    /// Adds a function; one that a macro makes, for each of its invocations.
    fn add(&mut self, file: &str, of: &str, name: &Ident, of_macro: Option<&str>) {
        let name = name.to_string();
        let invocations = match of_macro {
            Some(of_macro) => self.invocations[of_macro].clone(),
            None => vec![Vec::new()],
        };
        for idents in &invocations {
            // A type is what comes first, a function what begins like its variable.
            let first = idents.first().map_or("", String::as_str);
            let of = of.replace(&format!("{META}Kind"), first);
            let names: Vec<&String> = match name.strip_prefix(META) {
                Some(begin) => idents.iter().filter(|ident| ident.starts_with(begin)).collect(),
                None => vec![&name],
            };
            for name in names {
                assert!(!of.contains(META), "{of}::{name} cannot be named");
                self.found.insert(format!("{of}::{name}"), file.to_owned());
            }
        }
    }
}

/// The rows of the table in the source: names, and what their closures say.
#[derive(Default)]
struct Rows(Vec<(String, Said)>);

impl<'s> Visit<'s> for Rows {
    fn visit_expr_method_call(&mut self, call: &'s syn::ExprMethodCall) {
        if call.method == "row"
            && let (Some(Expr::Lit(name)), Some(Expr::Closure(run))) =
                (call.args.first(), call.args.last())
            && let syn::Lit::Str(name) = &name.lit
        {
            let mut said = Said::default();
            said.visit_expr(&run.body);
            self.0.push((name.value(), said));
        }
        visit::visit_expr_method_call(self, call);
    }
}

/// What a closure calls, and the identifiers in it: `Type::name` where the type
/// is written there or is that of the heap, `name` of another method.
#[derive(Default)]
struct Said {
    calls: BTreeSet<String>,
    idents: BTreeSet<String>,
}

impl Said {
    /// Whether `Type::name`, or `Type<Kind>::name`, may be what is called.
    fn calls(&self, of: &str, name: &str) -> bool {
        let (of, kind) = of.trim_end_matches('>').split_once('<').unwrap_or((of, ""));
        let method = of != "Heap" && self.calls.contains(name);
        (method || self.calls.contains(&format!("{of}::{name}")))
            && (kind.is_empty() || self.idents.contains(kind))
    }
}

impl<'s> Visit<'s> for Said {
    fn visit_expr_method_call(&mut self, call: &'s syn::ExprMethodCall) {
        let name = &call.method;
        self.calls.insert(match &*call.receiver {
            Expr::Field(field) if matches!(&field.member, syn::Member::Named(of) if of == "heap") =>
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
    rows.visit_file(&syn::parse_file(&source("machine/operations.rs")).unwrap());
    let mut functions = Functions::of_crate().found;
    if !cfg!(feature = "getrandom") {
        functions.remove("Settings::try_random").unwrap();
    }
    if !cfg!(feature = "std") {
        functions.remove("Settings::random").unwrap();
        functions.remove("Heap::new").unwrap();
    }
    let (mut missing, mut heap) = (Vec::new(), BTreeSet::new());
    for (function, file) in &functions {
        let (of, name) = function.rsplit_once("::").unwrap();
        match ELSEWHERE.iter().find(|(part, _)| part == &of || part == function) {
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
                if named.peek().is_none() {
                    missing.push(format!("{function} ({file}) is no row of the table"));
                }
                for (row, _) in named.filter(|(_, said)| !said.calls(of, name)) {
                    missing.push(format!("the row {row} does not call {name}"));
                }
            }
        }
    }
    for name in crate::machine::table().names().filter(|name| !heap.contains(name)) {
        missing.push(format!("{name} is a row, and no public function"));
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(heap.len() > 150, "{} functions were found", heap.len());
}
