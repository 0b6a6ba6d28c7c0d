//! Shared by the examples: arguments, tables that fit the terminal, exit codes.

use std::ffi::OsString;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::process::ExitCode;

use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

pub(crate) type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// Columns of the output if neither `COLUMNS` nor a terminal says otherwise.
const COLUMNS_DEFAULT: u16 = 80;

/// What an example says about itself, and whether it takes a file.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) takes_file: bool,
}

impl Program {
    /// Parses the arguments and runs `body` on the output and the file argument.
    ///
    /// Prints an error as one line. Exit codes: 0, 1 if `body` fails, 2 if the
    /// arguments are wrong.
    pub(crate) fn run(
        &self,
        body: impl FnOnce(&mut Output, Option<OsString>) -> Result<()>,
    ) -> ExitCode {
        let mut out = Output::new();
        let (result, code) = match self.arguments() {
            Ok(Arguments::Help) => (out.line(self.help), 1),
            Ok(Arguments::Run(file)) => (body(&mut out, file), 1),
            Err(error) => (Err(format!("{error} (try --help)").into()), 2),
        };
        match result.and_then(|()| Ok(out.writer.flush()?)) {
            Ok(()) => ExitCode::SUCCESS,
            // A reader such as `head` has closed the pipe: not an error.
            Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
            Err(error) => {
                // If stderr is closed too, only the exit code remains.
                let _ = writeln!(io::stderr(), "{}: {error}", self.name);
                ExitCode::from(code)
            }
        }
    }

    fn arguments(&self) -> Result<Arguments, lexopt::Error> {
        let mut parser = lexopt::Parser::from_env();
        let mut file = None;
        while let Some(argument) = parser.next()? {
            match argument {
                lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return Ok(Arguments::Help),
                lexopt::Arg::Value(value) if self.takes_file && file.is_none() => {
                    file = Some(value);
                }
                _ => return Err(argument.unexpected()),
            }
        }
        Ok(Arguments::Run(file))
    }
}

enum Arguments {
    Help,
    Run(Option<OsString>),
}

pub(crate) fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref().map(io::Error::kind) == Some(io::ErrorKind::BrokenPipe)
}

/// A column of a table: its heading and its alignment.
#[derive(Clone, Copy)]
pub(crate) enum Column {
    Text(&'static str),
    Number(&'static str),
}

impl Column {
    fn heading(self) -> &'static str {
        let (Column::Text(heading) | Column::Number(heading)) = self;
        heading
    }

    fn alignment(self) -> CellAlignment {
        match self {
            Column::Text(_) => CellAlignment::Left,
            Column::Number(_) => CellAlignment::Right,
        }
    }
}

/// Buffered standard output, wrapped at the width of the terminal.
pub(crate) struct Output {
    writer: BufWriter<StdoutLock<'static>>,
    pub(crate) columns: u16,
}

impl Output {
    fn new() -> Output {
        let named = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let columns = named.filter(|&columns| columns > 0).or_else(|| {
            let stdout_size = || terminal_size::terminal_size().map(|(width, _)| width.0);
            io::stdout().is_terminal().then(stdout_size).flatten()
        });
        Output {
            writer: BufWriter::new(io::stdout().lock()),
            columns: columns.unwrap_or(COLUMNS_DEFAULT),
        }
    }

    /// Writes a line as it is.
    pub(crate) fn line(&mut self, line: &str) -> Result<()> {
        Ok(writeln!(self.writer, "{line}")?)
    }

    /// Writes a text with line breaks between words.
    pub(crate) fn paragraph(&mut self, text: &str) -> Result<()> {
        self.table(&[Column::Text("")], [vec![text.to_owned()]])
    }

    /// Writes a table, without a header row if no column has a heading.
    pub(crate) fn table(
        &mut self,
        columns: &[Column],
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> Result<()> {
        let cells = |row: Vec<String>| -> Vec<Cell> {
            let aligned = row.into_iter().zip(columns);
            aligned
                .map(|(text, column)| Cell::new(text).set_alignment(column.alignment()))
                .collect()
        };
        let mut table = Table::new();
        table
            .load_style(
                TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─')),
            )
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(self.columns)
            .add_rows(rows.into_iter().map(cells));
        if columns.iter().any(|column| !column.heading().is_empty()) {
            table.set_header(cells(columns.iter().map(|c| c.heading().to_owned()).collect()));
        }
        let last = columns.len().saturating_sub(1);
        for (n, column) in table.column_iter_mut().enumerate() {
            // The style puts one more space between columns.
            column.set_padding((0, u16::from(n < last)));
        }
        self.line(&table.trim_fmt())
    }
}
