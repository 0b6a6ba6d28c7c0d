//! The segheap guide as a crate: each chapter of the book in `src/` is the documentation of a module,
//! so `cargo test` compiles and runs every Rust block.

/// Makes a module of each chapter, and the list of them that the tests compare with the book.
macro_rules! chapters {
    ($($name:ident = $file:literal;)*) => {
        $(
            #[doc = include_str!(concat!("src/", $file))]
            pub mod $name {}
        )*

        /// File name and text of each chapter.
        #[cfg(test)]
        const CHAPTERS: &[(&str, &str)] = &[$(($file, include_str!(concat!("src/", $file)))),*];
    };
}

chapters! {
    introduction = "introduction.md";
    vm = "vm.md";
    kinds = "kinds.md";
    collection = "collection.md";
    recipes = "recipes.md";
    porting = "porting.md";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::CHAPTERS;

    /// The targets of the links in a text.
    fn links(text: &str) -> impl Iterator<Item = &str> {
        text.split("](").skip(1).filter_map(|rest| rest.split(')').next())
    }

    /// The id that mdBook gives to a heading.
    fn anchor(heading: &str) -> String {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    }

    /// The info string of each code block, and its lines.
    fn blocks(text: &str) -> Vec<(&str, Vec<&str>)> {
        let (mut blocks, mut lines) = (Vec::new(), text.lines());
        while let Some(line) = lines.next() {
            if let Some(info) = line.strip_prefix("```") {
                blocks.push((info, lines.by_ref().take_while(|line| *line != "```").collect()));
            }
        }
        blocks
    }

    #[test]
    fn the_summary_lists_each_chapter_that_is_compiled() {
        let summary: Vec<&str> = links(include_str!("src/SUMMARY.md")).collect();
        let compiled: Vec<&str> = CHAPTERS.iter().map(|(file, _)| *file).collect();
        assert_eq!(summary, compiled);

        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
        let files = std::fs::read_dir(folder).expect("the folder of the chapters");
        let files: BTreeSet<String> =
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        let expected = compiled.iter().chain(&["SUMMARY.md"]).map(|file| (*file).to_owned());
        assert_eq!(files, expected.collect());
    }

    #[test]
    fn every_rust_block_runs() {
        for (file, text) in CHAPTERS {
            let blocks = blocks(text);
            assert!(blocks.iter().any(|(info, _)| *info == "rust"), "{file}: no Rust block");
            for (info, lines) in blocks {
                assert!(
                    matches!(info, "rust" | "text" | "toml"),
                    "{file}: a block is marked `{info}`, so it may not run"
                );
                let is_rust = lines.iter().any(|line| line.contains("segheap::"));
                assert!(info == "rust" || !is_rust, "{file}: Rust is marked `{info}`");
            }
        }
    }

    #[test]
    fn links_lead_to_headings() {
        let anchors: BTreeSet<String> = CHAPTERS
            .iter()
            .flat_map(|(file, text)| {
                let headings = text.lines().filter_map(|line| line.strip_prefix("## "));
                headings.map(move |heading| format!("{file}#{}", anchor(heading)))
            })
            .chain(CHAPTERS.iter().map(|(file, _)| (*file).to_owned()))
            .collect();
        for (file, text) in CHAPTERS {
            for link in links(text) {
                let link =
                    if link.starts_with('#') { format!("{file}{link}") } else { link.into() };
                assert!(anchors.contains(&link), "{file}: no such place: {link}");
            }
        }
    }
}
