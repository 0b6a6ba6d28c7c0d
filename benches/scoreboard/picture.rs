//! The scoreboard as a picture: a bar for each row, from what the peer costs to what
//! segheap costs, and a mark where the target is.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::report::{Line, summary};

const WIDTH: i32 = 960;
const ROW: i32 = 15;
const HEAD: i32 = 96;
/// From the middle of a bar to the base line of its text.
const MIDDLE: i32 = 7;
/// Left and right end of the bars.
const BARS: [i32; 2] = [500, 880];
/// The ratios at these ends; the scale is logarithmic.
const RATIOS: [f64; 2] = [1.0 / 16.0, 8.0];

const HELD: RGBColor = RGBColor(46, 139, 87);
const SHORT: RGBColor = RGBColor(217, 95, 2);
const INK: RGBColor = RGBColor(36, 41, 47);
const PALE: RGBColor = RGBColor(208, 215, 222);

type Canvas<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

pub(crate) fn draw(lines: &[Line], path: &Path) -> Result<(), Box<dyn Error>> {
    let sections: Vec<&[Line]> = lines.chunk_by(|a, b| a.section == b.section).collect();
    let rows = lines.len() + 2 * sections.len();
    let height = HEAD + ROW * rows as i32;
    let canvas = SVGBackend::new(path, (WIDTH as u32, height as u32)).into_drawing_area();
    canvas.fill(&WHITE)?;
    legend(&canvas, lines)?;
    scale(&canvas, height)?;
    let mut y = HEAD;
    for section in sections {
        write(&canvas, section[0].section, (16, y), HPos::Left, FontStyle::Bold, 14.5, INK)?;
        y += ROW;
        for line in section {
            row(&canvas, line, y)?;
            y += ROW;
        }
        y += ROW;
    }
    canvas.present()?;
    Ok(())
}

/// What the picture says, and how to read it.
fn legend(canvas: &Canvas<'_>, lines: &[Line]) -> Result<(), Box<dyn Error>> {
    let title = format!("segheap beside its peers: {}", summary(lines));
    write(canvas, &title, (16, 22), HPos::Left, FontStyle::Bold, 20.0, INK)?;
    let how = "what the same work costs, segheap to peer; to the left of 1 segheap is cheaper";
    write(canvas, how, (16, 44), HPos::Left, FontStyle::Normal, 14.5, INK)?;
    for (x, name, color) in [(600, "held", HELD), (680, "short", SHORT)] {
        bar(canvas, [x, x + 18], 44 - MIDDLE, color)?;
        write(canvas, name, (x + 24, 44), HPos::Left, FontStyle::Normal, 14.5, INK)?;
    }
    mark(canvas, 765, 44 - MIDDLE)?;
    write(canvas, "target", (772, 44), HPos::Left, FontStyle::Normal, 14.5, INK)
}

fn scale(canvas: &Canvas<'_>, height: i32) -> Result<(), Box<dyn Error>> {
    let lines = [(1.0 / 16.0, "1/16"), (0.25, "1/4"), (0.5, "1/2"), (1.0, "1"), (2.0, "2")];
    for (ratio, name) in lines.into_iter().chain([(4.0, "4"), (8.0, "8")]) {
        let (x, color) = (place(ratio), if ratio == 1.0 { INK } else { PALE });
        let ends = vec![(x, HEAD - 12), (x, height - ROW)];
        canvas.draw(&PathElement::new(ends, color.stroke_width(1)))?;
        write(canvas, name, (x, HEAD - 20), HPos::Center, FontStyle::Normal, 13.5, INK)?;
    }
    Ok(())
}

fn row(canvas: &Canvas<'_>, line: &Line, y: i32) -> Result<(), Box<dyn Error>> {
    let color = if line.held() { HELD } else { SHORT };
    let name = format!("{}  ·  {}", line.name, line.peer);
    write(canvas, &name, (BARS[0] - 12, y), HPos::Right, FontStyle::Normal, 13.5, INK)?;
    let mut ends = [place(1.0), place(line.ratio())];
    ends.sort_unstable();
    bar(canvas, ends, y - MIDDLE, color)?;
    mark(canvas, place(line.target), y - MIDDLE)?;
    let ratio = format!("{:.2}", line.ratio());
    write(canvas, &ratio, (WIDTH - 24, y), HPos::Right, FontStyle::Bold, 13.5, color)
}

/// Where a ratio lies; beyond the scale, at its end.
fn place(ratio: f64) -> i32 {
    let part = (ratio / RATIOS[0]).ln() / (RATIOS[1] / RATIOS[0]).ln();
    BARS[0] + (part.clamp(0.0, 1.0) * f64::from(BARS[1] - BARS[0])).round() as i32
}

fn bar(
    canvas: &Canvas<'_>,
    [from, to]: [i32; 2],
    y: i32,
    color: RGBColor,
) -> Result<(), Box<dyn Error>> {
    // One that is as long as nothing is still seen.
    let corners = [(from, y - 5), (to.max(from + 2), y + 5)];
    canvas.draw(&Rectangle::new(corners, color.filled()))?;
    Ok(())
}

fn mark(canvas: &Canvas<'_>, x: i32, y: i32) -> Result<(), Box<dyn Error>> {
    canvas.draw(&Rectangle::new([(x - 1, y - 7), (x + 1, y + 7)], INK.filled()))?;
    Ok(())
}

/// Text whose base line is at `y`.
fn write(
    canvas: &Canvas<'_>,
    text: &str,
    (x, y): (i32, i32),
    anchor: HPos,
    style: FontStyle,
    size: f64,
    color: RGBColor,
) -> Result<(), Box<dyn Error>> {
    let font = FontDesc::new(FontFamily::SansSerif, size, style);
    let style = TextStyle::from(font).color(&color).pos(Pos::new(anchor, VPos::Bottom));
    canvas.draw(&Text::new(text.to_owned(), (x, y), style))?;
    Ok(())
}
