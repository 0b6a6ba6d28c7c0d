//! The command line of a bench target: options of libtest, which cargo and its users
//! pass to every target, beside those of the target itself.

use std::io::{Write, stdout};

use clap::{ArgMatches, Command, arg};

/// A parsed command line.
pub(crate) struct Arguments(pub(crate) ArgMatches);

impl Arguments {
    /// Parses the command line of this process; `command` has the target's own options.
    pub(crate) fn parse(command: Command) -> Arguments {
        let options = [
            arg!([FILTERS] ... "Select names that contain one of these"),
            arg!(--exact "Select names that are equal to one of FILTERS"),
            arg!(--skip <FILTER> ... "Leave out names that contain FILTER"),
            arg!(--list "List the selected names"),
            arg!(--bench "Measure, as under `cargo bench`; otherwise make one pass"),
            arg!(--test "Make one pass and check its results, also with --bench"),
            arg!(--ignored "Select nothing: no benchmark is ignored"),
            arg!(--format <FORMAT> "Leave the count out of a list: terse").hide(true),
        ];
        // Nothing is captured, ignored or parallel here.
        let without_effect = [
            arg!(--"include-ignored").hide(true),
            arg!(--nocapture).alias("no-capture").hide(true),
            arg!(--"show-output").hide(true),
            arg!(-q - -quiet).hide(true),
            arg!(--"test-threads" <N>).hide(true),
            arg!(--color <WHEN>).hide(true),
            arg!(-Z <FLAG>).hide(true),
        ];
        Arguments(command.args(options).args(without_effect).get_matches())
    }

    /// Returns whether to measure; one pass is wanted otherwise.
    pub(crate) fn measures(&self) -> bool {
        self.0.get_flag("bench") && !self.0.get_flag("test")
    }

    /// Returns whether a benchmark of this name is to run.
    pub(crate) fn selects(&self, name: &str) -> bool {
        let texts = |id| self.0.get_many::<String>(id).unwrap_or_default();
        let exact = self.0.get_flag("exact");
        let matches =
            |filter: &String| if exact { name == filter } else { name.contains(filter.as_str()) };
        let named = texts("FILTERS").len() == 0 || texts("FILTERS").any(matches);
        named && !texts("skip").any(matches) && !self.0.get_flag("ignored")
    }

    /// Prints the selected names as libtest does if `--list` is given, and returns
    /// whether it is.
    pub(crate) fn list(&self, names: impl Iterator<Item = impl AsRef<str>>) -> bool {
        if !self.0.get_flag("list") {
            return false;
        }
        let (mut text, mut count) = (String::new(), 0);
        for name in names.filter(|name| self.selects(name.as_ref())) {
            text += &format!("{}: benchmark\n", name.as_ref());
            count += 1;
        }
        if self.0.get_one::<String>("format").is_none_or(|format| format != "terse") {
            text += &format!("\n0 tests, {count} benchmarks\n");
        }
        // The reader of a pipe may have closed it.
        let _ = stdout().write_all(text.as_bytes());
        true
    }
}
