//! Each session as a line from its intended start to its end, as APerf drew them.

use std::fmt::Write as _;

use super::Subject;
use super::heat_map::holes;
use super::script::{Data, Script};
use crate::outcome::pictures::{Axis, Stage, caption};

pub(super) fn draw(log: &Subject<'_>) -> (String, String) {
    let lifetimes = &log.pictures.lifetimes;
    let lives = &lifetimes.lives;
    let time = Axis::time(lifetimes.window.from, lifetimes.window.to);
    // Lines of few sessions are apart, those of many would vanish if they were.
    let thickness = if lives.len() <= 200 { 0.8 } else { 1.0 };

    let mut script = Script::new("lifetimes");
    script.text("heading", "Lifetimes of sessions");
    script.text("caption", &caption(log.summary));
    script.text("time_unit", time.unit);
    script.axis("time_axis", 'x', &time);
    script.number("lines", lives.len().max(1));
    script.number("thickness", thickness);
    script.number("one_in", lifetimes.one_in);
    script.number("any_failed", u8::from(lives.iter().any(|life| life.failed.is_some())));
    let window = lifetimes.window;
    let in_window = log.pictures.holes.iter().filter(|h| h.from < window.to && h.to > window.from);
    let marks: Vec<_> = in_window.copied().collect();
    script.number("any_holes", u8::from(!marks.is_empty()));

    let mut data = Data::new();
    for (stage, name) in Stage::ALL {
        let lines = (1..).zip(lives).flat_map(|(line, life)| {
            let of_stage = life.stretches.iter().filter(move |stretch| stretch.stage == stage);
            of_stage.map(move |stretch| (line, stretch, life))
        });
        let columns = "line from_ns to_ns shard session";
        data.block(name, columns, lines, |out, (line, stretch, life): (u32, _, _)| {
            let (from, to) = (stretch.from.0, stretch.to.0);
            write!(out, "{line} {from} {to} {} {}", life.shard, life.session)
        });
    }
    let failed = (1..).zip(lives).filter_map(|(line, life)| Some((line, life, life.failed?)));
    let columns = "line at_ns shard session outcome";
    data.block("failed", columns, failed, |out, (line, life, (at, outcome)): (u32, _, _)| {
        write!(out, "{line} {} {} {} {outcome}", at.0, life.shard, life.session)
    });
    holes(&mut data, &marks);
    (script.finish(include_str!("gnuplot/lifetimes.gp")), data.finish())
}
