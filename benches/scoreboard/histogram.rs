//! The pauses of runs beside 8M objects as a picture: a histogram for each way to collect,
//! all on one logarithmic axis of time.

use std::error::Error;
use std::path::Path;

use svg::Document;
use svg::node::element::{Group, Line as Stroke, Style, Title};

use crate::picture::{MARGIN, STYLE, rectangle, source, text};
use crate::record::{Pauses, Record};
use crate::subjects::pauses::BUCKETS_PER_OCTAVE;

const WIDTH: f64 = 860.0;
const HEAD: f64 = 96.0;
const FOOT: f64 = 58.0;
/// The height of a histogram, and of the tallest bar in it.
const PANEL: f64 = 84.0;
const BAR: f64 = 50.0;
/// Both ends of the axis, and what they stand for in nanoseconds.
const AXIS: [f64; 2] = [290.0, 830.0];
const ENDS: [f64; 2] = [1e3, 1e9];
const LABELS: [(f64, &str); 7] = [
    (1e3, "1 µs"),
    (1e4, "10 µs"),
    (1e5, "100 µs"),
    (1e6, "1 ms"),
    (1e7, "10 ms"),
    (1e8, "100 ms"),
    (1e9, "1 s"),
];
/// Bars left of this are good, others are not.
const GOOD: f64 = 1e6;

pub(crate) struct Histogram<'a> {
    record: &'a Record,
}

impl<'a> Histogram<'a> {
    pub(crate) fn of(record: &'a Record) -> Histogram<'a> {
        Histogram { record }
    }

    pub(crate) fn save(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let title = "Pauses while 10M pairs are allocated beside 8M live ones";
        let how = "Number of pauses by length, both logarithmic. CPU time of the thread.";
        let end = HEAD + PANEL * self.record.pauses.len() as f64;
        let height = end + FOOT;
        let mut document = Document::new()
            .set("xmlns", "http://www.w3.org/2000/svg")
            .set("viewBox", (0, 0, WIDTH, height))
            .set("width", WIDTH)
            .set("height", height)
            .set("role", "img")
            .add(Title::new(title))
            .add(Style::new(STYLE))
            .add(rectangle("page", [0.5, 0.5, WIDTH - 0.5, height - 0.5]).set("rx", 6))
            .add(text("bold", 18.0, [MARGIN, 30.0], title))
            .add(text("muted", 12.5, [MARGIN, 50.0], how))
            .add(legend())
            .add(scale(end));
        for (n, pauses) in self.record.pauses.iter().enumerate() {
            document = document.add(panel(pauses, HEAD + PANEL * (n + 1) as f64));
        }
        let foot = text("muted", 11.5, [MARGIN, height - 14.0], &of_one_run(self.record));
        svg::save(path, &document.add(foot))?;
        Ok(())
    }
}

fn of_one_run(record: &Record) -> String {
    source(record).replace("medians of one run", "one run")
}

fn legend() -> Group {
    let mut group = Group::new();
    for (n, (class, name)) in [("good", "below 1 ms"), ("bad", "1 ms and more")].iter().enumerate()
    {
        let x = MARGIN + 120.0 * n as f64;
        group = group.add(rectangle(class, [x, 62.0, x + 16.0, 72.0])).add(text(
            "",
            12.5,
            [x + 22.0, 71.5],
            name,
        ));
    }
    group
}

fn scale(end: f64) -> Group {
    let mut group = Group::new();
    for (nanoseconds, label) in LABELS {
        let x = place(nanoseconds);
        let stroke = Stroke::new()
            .set("class", "grid")
            .set("x1", x)
            .set("x2", x)
            .set("y1", HEAD)
            .set("y2", end);
        group = group.add(stroke).add(text("muted middle", 11.5, [x, end + 16.0], label));
    }
    group
}

/// The pauses of one run, with bars that stand on `base`.
fn panel(pauses: &Pauses, base: f64) -> Group {
    let line = Stroke::new()
        .set("class", "one")
        .set("x1", AXIS[0])
        .set("x2", AXIS[1])
        .set("y1", base)
        .set("y2", base);
    let count: u64 = pauses.buckets.iter().sum();
    let noun = if count == 1 { "pause" } else { "pauses" };
    let figures = format!("{count} {noun}, longest {}", time(pauses.longest_ns as f64));
    let mut group = Group::new()
        .add(line)
        .add(text("bold", 13.0, [MARGIN, base - 30.0], &pauses.name))
        .add(text("muted", 12.0, [MARGIN, base - 13.0], &figures));
    let most = pauses.buckets.iter().copied().max().unwrap_or(1);
    let tallest = pauses.buckets.iter().position(|count| *count == most);
    for (n, &count) in pauses.buckets.iter().enumerate().filter(|(_, count)| **count > 0) {
        let start = bucket(n);
        let [left, right] = [place(start), place(bucket(n + 1))];
        // Even a single pause is visible.
        let height = BAR * (0.2 + 0.8 * (count as f64).ln() / (most as f64).ln().max(1.0));
        let class = if start < GOOD { "good" } else { "bad" };
        let top = round(base - height);
        group = group.add(rectangle(class, [left, top, round(right - 1.0), base]));
        // There is no room for all numbers.
        if Some(n) == tallest || n + 1 == pauses.buckets.len() {
            let middle = round((left + right) / 2.0);
            group = group.add(text("muted middle", 10.0, [middle, top - 3.0], &short(count)));
        }
    }
    group
}

/// The shortest pause of a bucket.
fn bucket(n: usize) -> f64 {
    (n as f64 / BUCKETS_PER_OCTAVE as f64).exp2()
}

fn place(nanoseconds: f64) -> f64 {
    let part = (nanoseconds / ENDS[0]).ln() / (ENDS[1] / ENDS[0]).ln();
    round(AXIS[0] + part.clamp(0.0, 1.0) * (AXIS[1] - AXIS[0]))
}

fn round(x: f64) -> f64 {
    (x * 10.0).round() / 10.0
}

fn short(count: u64) -> String {
    if count < 1_000 { count.to_string() } else { format!("{:.1}k", count as f64 / 1e3) }
}

fn time(nanoseconds: f64) -> String {
    if nanoseconds < 1e6 {
        format!("{:.0} µs", nanoseconds / 1e3)
    } else {
        format!("{:.1} ms", nanoseconds / 1e6)
    }
}
