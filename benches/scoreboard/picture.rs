//! The scoreboard as a picture: a bar for each row, from the cost of the peer to the
//! cost of segheap, on a logarithmic scale.
//!
//! One file serves light and dark pages: its style sheet asks for the colour scheme,
//! and it has a background of its own.

use std::error::Error;
use std::path::Path;

use svg::Document;
use svg::node::element::{Group, Line as Stroke, Polygon, Rectangle, Style, Text, Title};

use crate::record::Record;
use crate::report::{Line, summary};

pub(crate) const STYLE: &str = "
text { font-family: system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1f2328 }
.muted { fill: #59636e }
.bold { font-weight: bold }
.end { text-anchor: end }
.middle { text-anchor: middle }
.page { fill: #ffffff; stroke: #d1d9e0 }
.cut { fill: #ffffff }
.grid { stroke: #d1d9e0 }
.one { stroke: #59636e }
.mark { fill: #1f2328 }
.good { fill: #0969da }
.even { fill: #818b98 }
.bad { fill: #bc4c00 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc }
  .muted { fill: #9198a1 }
  .page { fill: #0d1117; stroke: #3d444d }
  .cut { fill: #0d1117 }
  .grid { stroke: #3d444d }
  .one { stroke: #9198a1 }
  .mark { fill: #f0f6fc }
  .good { fill: #4493f8 }
  .even { fill: #818b98 }
  .bad { fill: #f0883e }
}
";

pub(crate) const MARGIN: f64 = 20.0;
const HEAD: f64 = 104.0;
const FOOT: f64 = 40.0;
/// Length of the arrow head of a clipped bar.
const ARROW: f64 = 7.0;

/// Ratios within this distance of 1 count as equal.
const EVEN: f64 = 0.05;

pub(crate) struct Picture<'a> {
    title: String,
    source: String,
    lines: &'a [Line],
    layout: Layout,
    /// Colour by target, and mark targets; otherwise by the peer.
    targets: bool,
}

/// Positions and sizes in pixels.
struct Layout {
    width: f64,
    row: f64,
    font: f64,
    /// Left ends of the names of peers and of the bars, right end of the bars.
    peers: f64,
    bars: [f64; 2],
    /// The ratios at both ends of the bars, and the labelled ones.
    ratios: [f64; 2],
    labels: &'static [(f64, &'static str)],
}

impl<'a> Picture<'a> {
    /// All rows, coloured by their targets.
    pub(crate) fn full(record: &Record, lines: &'a [Line]) -> Picture<'a> {
        Picture {
            title: format!("segheap and its peers: {}", summary(lines)),
            source: source(record),
            lines,
            layout: Layout {
                width: 960.0,
                row: 17.0,
                font: 11.5,
                peers: 360.0,
                bars: [500.0, 880.0],
                ratios: [1.0 / 16.0, 8.0],
                labels: &[
                    (1.0 / 16.0, "1/16"),
                    (1.0 / 8.0, "1/8"),
                    (1.0 / 4.0, "1/4"),
                    (1.0 / 2.0, "1/2"),
                    (1.0, "1"),
                    (2.0, "2"),
                    (4.0, "4"),
                    (8.0, "8"),
                ],
            },
            targets: true,
        }
    }

    /// Few rows, coloured by whether segheap or the peer is faster.
    pub(crate) fn readme(record: &Record, lines: &'a [Line]) -> Picture<'a> {
        Picture {
            title: "The same work in segheap and in a peer".to_owned(),
            source: source(record),
            lines,
            layout: Layout {
                width: 860.0,
                row: 24.0,
                font: 13.0,
                peers: 330.0,
                bars: [475.0, 770.0],
                ratios: [1.0 / 4.0, 8.0],
                labels: &[
                    (1.0 / 4.0, "1/4"),
                    (1.0 / 2.0, "1/2"),
                    (1.0, "1"),
                    (2.0, "2"),
                    (4.0, "4"),
                    (8.0, "8"),
                ],
            },
            targets: false,
        }
    }

    pub(crate) fn save(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let sections = self.sections();
        let rows =
            if self.targets { self.lines.len() + 2 * sections.len() } else { self.lines.len() };
        let (width, end) = (self.layout.width, HEAD + self.layout.row * rows as f64);
        let height = end + FOOT;
        let mut document = Document::new()
            .set("xmlns", "http://www.w3.org/2000/svg")
            .set("viewBox", (0, 0, width, height))
            .set("width", width)
            .set("height", height)
            .set("role", "img")
            .add(Title::new(self.title.as_str()))
            .add(Style::new(STYLE))
            .add(rectangle("page", [0.5, 0.5, width - 0.5, height - 0.5]).set("rx", 6))
            .add(self.legend())
            .add(self.scale(end));
        let mut y = HEAD;
        for section in sections {
            if self.targets {
                y += 2.0 * self.layout.row;
                document = document.add(text("bold", 13.5, [MARGIN, y], section[0].section));
            }
            for line in section {
                y += self.layout.row;
                document = document.add(self.row(line, y));
            }
        }
        let foot = text("muted", 11.5, [MARGIN, height - 14.0], &self.source);
        svg::save(path, &document.add(foot))?;
        Ok(())
    }

    /// All lines, in sections if the picture shows them.
    fn sections(&self) -> Vec<&'a [Line]> {
        if self.targets {
            self.lines.chunk_by(|a, b| a.section == b.section).collect()
        } else {
            vec![self.lines]
        }
    }

    fn legend(&self) -> Group {
        let how = "Cost of segheap relative to the peer, logarithmic. \
                   Bars to the left of 1: segheap costs less.";
        let mut group = Group::new()
            .add(text("bold", 18.0, [MARGIN, 30.0], &self.title))
            .add(text("muted", 12.5, [MARGIN, 50.0], how));
        let colors: &[(&str, &str)] = if self.targets {
            &[("good", "target met"), ("bad", "target missed")]
        } else {
            &[("good", "segheap faster"), ("even", "equal within 5 %"), ("bad", "peer faster")]
        };
        let mut x = MARGIN;
        for &(class, name) in colors {
            group = group.add(rectangle(class, [x, 62.0, x + 16.0, 72.0])).add(text(
                "",
                12.5,
                [x + 22.0, 71.5],
                name,
            ));
            x += 150.0;
        }
        if self.targets {
            group = group.add(mark(x + 8.0, 67.0)).add(text("", 12.5, [x + 22.0, 71.5], "target"));
            x += 90.0;
        }
        let clipped = arrow("even", [x, x + 22.0], 67.0, 5.0);
        group.add(clipped).add(text("", 12.5, [x + 30.0, 71.5], "beyond the scale, bar cut off"))
    }

    fn scale(&self, end: f64) -> Group {
        let Layout { width, peers, .. } = self.layout;
        let y = HEAD - 9.0;
        let mut group = Group::new()
            .add(text("muted", 11.5, [MARGIN, y], "Work"))
            .add(text("muted", 11.5, [peers, y], "Peer"))
            .add(text("muted end", 11.5, [width - MARGIN, y], "Ratio"));
        for &(ratio, label) in self.layout.labels {
            let x = self.place(ratio);
            let stroke = Stroke::new()
                .set("class", if ratio == 1.0 { "one" } else { "grid" })
                .set("x1", x)
                .set("x2", x)
                .set("y1", HEAD - 4.0)
                .set("y2", end + 6.0);
            group = group.add(stroke).add(text("muted middle", 11.5, [x, y], label));
        }
        group
    }

    /// A row with its base line at `y`.
    fn row(&self, line: &Line, y: f64) -> Group {
        let Layout { width, font, peers, ratios, .. } = self.layout;
        let (ratio, middle, half) = (line.ratio(), y - font * 0.36, font * 0.42);
        let class = match self.targets {
            true if line.met() => "good",
            true => "bad",
            false if (ratio - 1.0).abs() <= EVEN => "even",
            false if ratio < 1.0 => "good",
            false => "bad",
        };
        let (one, end) = (self.place(1.0), self.place(ratio));
        let bar = if ratio < ratios[0] || ratio > ratios[1] {
            arrow(class, [one, end], middle, half)
        } else {
            // Even a bar of length 0 is visible.
            let (left, right) = (one.min(end), one.max(end).max(one.min(end) + 2.0));
            Group::new().add(rectangle(class, [left, middle - half, right, middle + half]))
        };
        let mut group = Group::new()
            .add(text("", font, [MARGIN, y], line.name))
            .add(text("muted", font, [peers, y], line.peer))
            .add(bar)
            .add(text("bold end", font, [width - MARGIN, y], &format!("{ratio:.2}")));
        if self.targets {
            group = group.add(mark(self.place(line.target), middle));
        }
        group
    }

    /// The position of a ratio; of one beyond the scale, its end.
    fn place(&self, ratio: f64) -> f64 {
        let Layout { bars, ratios, .. } = self.layout;
        let part = (ratio / ratios[0]).ln() / (ratios[1] / ratios[0]).ln();
        let x = bars[0] + part.clamp(0.0, 1.0) * (bars[1] - bars[0]);
        (x * 10.0).round() / 10.0
    }
}

pub(crate) fn source(record: &Record) -> String {
    let Record { date, machine, rustc, .. } = record;
    let rustc = rustc.split(" (").next().unwrap_or_default();
    format!("{date} · {machine} · {rustc} · medians of one run")
}

pub(crate) fn rectangle(class: &str, [left, top, right, bottom]: [f64; 4]) -> Rectangle {
    Rectangle::new()
        .set("class", class)
        .set("x", left)
        .set("y", top)
        .set("width", right - left)
        .set("height", bottom - top)
}

/// A bar that ends in an arrow head, behind two cuts.
fn arrow(class: &str, [from, to]: [f64; 2], y: f64, half: f64) -> Group {
    let sign = if to < from { -1.0 } else { 1.0 };
    let neck = to - sign * ARROW;
    let points = [
        (from, y - half),
        (neck, y - half),
        (neck, y - half - 2.0),
        (to, y),
        (neck, y + half + 2.0),
        (neck, y + half),
        (from, y + half),
    ];
    let mut group = Group::new().add(polygon(class, &points));
    for cut in [5.0, 9.0].map(|distance| neck - sign * distance) {
        let points = [
            (cut, y + half + 1.0),
            (cut + 2.0, y - half - 1.0),
            (cut + 4.0, y - half - 1.0),
            (cut + 2.0, y + half + 1.0),
        ];
        group = group.add(polygon("cut", &points));
    }
    group
}

fn polygon(class: &str, points: &[(f64, f64)]) -> Polygon {
    let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    Polygon::new().set("class", class).set("points", points.join(" "))
}

fn mark(x: f64, y: f64) -> Rectangle {
    rectangle("mark", [x - 1.0, y - 7.0, x + 1.0, y + 7.0])
}

/// Text with its base line at `y`.
pub(crate) fn text(class: &str, size: f64, [x, y]: [f64; 2], content: &str) -> Text {
    let text = Text::new(content).set("font-size", size).set("x", x).set("y", y);
    if class.is_empty() { text } else { text.set("class", class) }
}
