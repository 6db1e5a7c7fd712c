//! Pictures as gnuplot scripts with their data. Nothing here runs gnuplot: a script and its data
//! are complete, and anybody may draw them again, or change them first.

mod compare;
mod distribution;
#[cfg(test)]
mod golden;
mod heat_map;
mod lag;
mod lifetimes;
mod percentiles;
mod script;
mod timeline;

use crate::outcome::Summary;
use crate::outcome::pictures::Pictures;
use crate::words;

words! {
    /// A picture.
    pub enum Picture:
        "a picture is percentiles, distribution, heat-map, timeline, lifetimes, lag or compare, \
         like lag"
    {
        /// Response and service over the percentile.
        Percentiles = "percentiles",
        /// The distribution function and its complement.
        Distribution = "distribution",
        /// Response over time, by how many.
        HeatMap = "heat-map",
        /// Rates, requests under way and response, step by step.
        Timeline = "timeline",
        /// Each session from its intended start to its end, around the worst moment.
        Lifetimes = "lifetimes",
        /// How late we were, and when we were not there.
        Lag = "lag",
        /// Several logs over each other.
        Compare = "compare",
    }
}

words! {
    /// What gnuplot may make of a drawing.
    pub enum Image: "an image is svg, png, pdf or none, like png" {
        /// For the web.
        Svg = "svg",
        /// Pixels.
        Png = "png",
        /// For paper.
        Pdf = "pdf",
        /// Scripts and data alone.
        None = "none",
    }
}

impl Picture {
    /// Those that are made of so many logs: one has its own pictures, several are compared.
    pub fn of_logs(logs: usize) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |&picture| (picture == Self::Compare) == (logs > 1))
    }
}

/// One log to draw.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What it is called where there are several.
    pub name: &'a str,
    /// What it says.
    pub summary: &'a Summary,
    /// What it shows.
    pub pictures: &'a Pictures,
}

/// A picture as text: `NAME.gp` and `NAME.dat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawing {
    /// Name of both files and of the image that comes of them.
    pub name: &'static str,
    /// The script. It looks for its data in the folder that it is run in.
    pub script: String,
    /// The data, in blocks of columns, in ns.
    pub data: String,
}

/// Draws `picture` of `logs`: of the first one, unless the picture compares them.
///
/// The same logs give the same bytes. `None` without logs.
pub fn draw(picture: Picture, logs: &[Subject<'_>]) -> Option<Drawing> {
    let first = logs.first()?;
    let (script, data) = match picture {
        Picture::Percentiles => percentiles::draw(first),
        Picture::Distribution => distribution::draw(first),
        Picture::HeatMap => heat_map::draw(first),
        Picture::Timeline => timeline::draw(first),
        Picture::Lifetimes => lifetimes::draw(first),
        Picture::Lag => lag::draw(first),
        Picture::Compare => compare::draw(logs),
    };
    Some(Drawing { name: picture.as_str(), script, data })
}
