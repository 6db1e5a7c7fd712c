//! A chart as inline SVG: lines and areas on axes, coloured by the classes of the page's style.

use std::fmt::Write as _;

use super::escaped;
use crate::outcome::pictures::Axis;

/// Width of every chart, in its own units.
const WIDTH: f64 = 960.0;

/// Where panels begin and end from left to right.
const LEFT: f64 = 90.0;
const RIGHT: f64 = 850.0;

/// Room below a panel for the labels of its axis.
const BELOW: f64 = 44.0;

/// A chart that grows.
#[derive(Debug)]
pub(super) struct Chart {
    id: String,
    title: String,
    caption: String,
    body: String,
    height: f64,
}

/// A rectangle with axes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Panel<'a> {
    pub(super) x: &'a Axis,
    pub(super) y: &'a Axis,
    /// Its upper edge.
    pub(super) top: f64,
    /// How high it is.
    pub(super) height: f64,
}

impl Panel<'_> {
    /// Where a value lies from left to right.
    pub(super) fn x(&self, value: f64) -> f64 {
        LEFT + self.x.at(value) * (RIGHT - LEFT)
    }

    /// Where a value lies from top to bottom.
    pub(super) fn y(&self, value: f64) -> f64 {
        self.at(self.y.at(value))
    }

    /// Where a height from 0 to 1 lies from top to bottom.
    fn at(&self, part: f64) -> f64 {
        self.top + (1.0 - part) * self.height
    }

    /// Its lower edge.
    fn bottom(&self) -> f64 {
        self.top + self.height
    }

    /// A box between values, as a part of a path.
    pub(super) fn cell(&self, (left, right): (f64, f64), (low, high): (f64, f64)) -> String {
        let (x, y) = (self.x(left), self.y(high));
        let (width, height) = ((self.x(right) - x).max(0.5), (self.y(low) - y).max(0.5));
        format!("M{x:.1} {y:.1}h{width:.1}v{height:.1}h-{width:.1}z")
    }

    /// A box over the whole height, as a part of a path.
    pub(super) fn stripe(&self, left: f64, right: f64) -> String {
        self.cell((left, right), (self.y.low, self.y.high))
    }
}

impl Chart {
    /// An empty one; `id` is its own on the page.
    pub(super) fn new(id: &str, title: &str, caption: &str) -> Self {
        let [id, title, caption] = [id, title, caption].map(str::to_owned);
        Self { id, title, caption, body: String::new(), height: 0.0 }
    }

    /// Draws the axes of `panel`, the one in x only where it has a name.
    pub(super) fn panel(&mut self, panel: &Panel<'_>, x_name: Option<&str>, y_name: &str) {
        let bottom = panel.bottom();
        let mut grid = String::new();
        for tick in &panel.y.ticks {
            let y = panel.y(tick.value);
            let _ = write!(grid, "M{LEFT} {y:.1}H{RIGHT}");
            self.words("end", (LEFT - 8.0, y + 4.5), "", &tick.label);
        }
        for tick in &panel.x.ticks {
            let x = panel.x(tick.value);
            let _ = write!(grid, "M{x:.1} {:.1}V{bottom:.1}", panel.top);
            if x_name.is_some() {
                self.words("middle", (x, bottom + 18.0), "", &tick.label);
            }
        }
        self.path("grid", &grid);
        self.path("axis", &format!("M{LEFT} {:.1}V{bottom:.1}H{RIGHT}", panel.top));
        let middle = panel.top + panel.height / 2.0;
        let _ = write!(
            self.body,
            "<text transform='translate(14 {middle:.1}) rotate(-90)' text-anchor='middle'>{}\
             </text>",
            escaped(y_name)
        );
        if let Some(name) = x_name {
            self.words("middle", ((LEFT + RIGHT) / 2.0, bottom + 38.0), "", name);
        }
        self.height = self.height.max(bottom + if x_name.is_some() { BELOW } else { 8.0 });
    }

    /// A line through points.
    pub(super) fn line(
        &mut self,
        class: &str,
        panel: &Panel<'_>,
        points: impl IntoIterator<Item = (f64, f64)>,
    ) {
        let points = points.into_iter().map(|(x, y)| (panel.x(x), panel.y(y)));
        self.path(class, &trace(points));
    }

    /// A line of steps `(from, to, value)`, broken where there is no value.
    pub(super) fn steps(
        &mut self,
        class: &str,
        panel: &Panel<'_>,
        steps: impl IntoIterator<Item = (f64, f64, Option<f64>)>,
    ) {
        let mut path = String::new();
        let mut is_down = false;
        for (from, to, value) in steps {
            if let Some(value) = value {
                let (x, y) = (panel.x(from), panel.y(value));
                let _ = match is_down {
                    true => write!(path, "V{y:.1}H{:.1}", panel.x(to)),
                    false => write!(path, "M{x:.1} {y:.1}H{:.1}", panel.x(to)),
                };
            }
            is_down = value.is_some();
        }
        self.path(class, &path);
    }

    /// An area between a lower and an upper line.
    pub(super) fn band(&mut self, class: &str, panel: &Panel<'_>, points: &[(f64, f64, f64)]) {
        let lower = points.iter().map(|&(x, low, _)| (panel.x(x), panel.y(low)));
        let upper = points.iter().rev().map(|&(x, _, high)| (panel.x(x), panel.y(high)));
        self.path(class, &trace(lower.chain(upper)));
    }

    /// A path as it is; nothing where it is empty.
    pub(super) fn path(&mut self, class: &str, path: &str) {
        if !path.is_empty() {
            let _ = writeln!(self.body, "<path class='{class}' d='{path}'/>");
        }
    }

    /// The same with lines so thick.
    pub(super) fn thick_path(&mut self, class: &str, thickness: f64, path: &str) {
        if !path.is_empty() {
            let _ = writeln!(
                self.body,
                "<path class='{class}' stroke-width='{thickness:.2}' d='{path}'/>"
            );
        }
    }

    /// Words to the right of `panel`, at a height from 0 to 1.
    pub(super) fn label(&mut self, panel: &Panel<'_>, class: &str, height: f64, words: &str) {
        self.words("start", (RIGHT + 8.0, panel.at(height) + 4.5), class, words);
    }

    /// A small box with its name, the `number`th to the right of `panel`.
    pub(super) fn key(&mut self, panel: &Panel<'_>, class: &str, number: usize, words: &str) {
        let y = panel.top + 10.0 + number as f64 * 20.0;
        let sample = format!("M{} {y:.1}h12", RIGHT + 10.0);
        self.thick_path(class, 12.0, &sample);
        self.words("start", (RIGHT + 28.0, y + 4.5), "", words);
    }

    /// Words within `panel`, at values of its axes.
    pub(super) fn note(&mut self, panel: &Panel<'_>, (x, height): (f64, f64), words: &str) {
        self.words("start", (panel.x(x) + 6.0, panel.at(height)), "quiet", words);
    }

    fn words(&mut self, anchor: &str, (x, y): (f64, f64), class: &str, words: &str) {
        let class = if class.is_empty() { String::new() } else { format!(" class='{class}'") };
        let _ = write!(
            self.body,
            "<text x='{x:.1}' y='{y:.1}' text-anchor='{anchor}'{class}>{}</text>",
            escaped(words)
        );
    }

    /// The whole as a figure.
    pub(super) fn finish(self) -> String {
        let Self { id, title, caption, body, height } = self;
        let (title, caption) = (escaped(&title), escaped(&caption));
        format!(
            "<section><h2 id='{id}'>{title}</h2>\n<figure>\n\
             <svg viewBox='0 0 {WIDTH} {height:.0}' role='img' aria-labelledby='{id}'>\n\
             {body}</svg>\n<figcaption>{caption}</figcaption>\n</figure></section>\n"
        )
    }
}

/// A path through points of the chart.
fn trace(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (x, y) in points {
        let command = if path.is_empty() { 'M' } else { 'L' };
        let _ = write!(path, "{command}{x:.1} {y:.1}");
    }
    path
}
