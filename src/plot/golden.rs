//! Pictures of a run made by hand, against files. `UPDATE_GOLDEN=1 cargo test` writes them anew:
//! read the difference, and look at the images, before it is committed.

use std::convert::Infallible;
use std::fs;
use std::path::Path;

use super::{Picture, Subject, draw};
use crate::evidence::{Entry, Hole, Outcome, Phase, Request, Step};
use crate::outcome::Summary;
use crate::outcome::pictures::Pictures;
use crate::outcome::sample::{Run, failed, request};
use crate::unit::{Instant, Nanos};

const START: Instant = Instant(5_000_000_000);

fn millis(millis: u64) -> Nanos {
    Nanos::from_millis(millis)
}

/// 300 fresh sessions in 300 ms on two shards: the target stops for 60 ms, some are refused, and
/// one shard is not there for a while.
fn stormy() -> Run {
    let session = |k: u64| {
        let request = match k {
            200..210 => failed(k, Outcome::Refused, Step::Connect, 111),
            k => request(k),
        };
        let wait = match k {
            105..150 => Nanos((150 - k) * 1_000_000),
            _ => Nanos::ZERO,
        };
        let lag = if (250..254).contains(&k) { millis(254 - k) } else { Nanos(300 + k * 7) };
        let sent_at = request.intended_at + wait + lag;
        let stalled = if (90..105).contains(&k) { millis(150 - k) } else { Nanos::ZERO };
        let is_ok = request.outcome == Outcome::Ok;
        let answered = sent_at + stalled + Nanos::from_micros(60 + k % 50);
        Request {
            ready_at: request.intended_at + wait,
            sent_at,
            connected_at: is_ok.then_some(sent_at + Nanos::from_micros(30)),
            first_byte_at: is_ok.then_some(answered),
            done_at: if is_ok { answered + Nanos::from_micros(9) } else { answered },
            ..request
        }
    };
    let of_shard = |shard: u64| (0..300).filter(move |k| k % 2 == shard).map(session).collect();
    let mut run = Run::of(vec![of_shard(0), of_shard(1)]);
    run.plan.fresh = true;
    run.plan.duration = millis(300);
    run.evidence.measured = millis(300);
    run
}

fn pictures(run: &Run, summary: &Summary) -> Pictures {
    let hole = |at: u64, lost: u64| {
        let from = START + millis(at);
        Entry::Hole(Hole { from, to: from + Nanos(lost), lost: Nanos(lost), phase: Phase::Measure })
    };
    let gathered = Pictures::gather(summary, START, |take| {
        [hole(20, 25_000), hole(120, 80_000), hole(250, 4_000_000)].iter().for_each(|h| take(0, h));
        for (index, shard) in run.shards.iter().enumerate() {
            let entries = shard.requests.iter().map(|request| Entry::Request(*request));
            entries.for_each(|entry| take(index as u32, &entry));
        }
        Ok::<(), Infallible>(())
    });
    gathered.unwrap_or_else(|never| match never {})
}

#[track_caller]
fn check(name: &str, written: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/plot").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, written).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == expected, "{name} differs; UPDATE_GOLDEN=1 rewrites it");
}

#[test]
fn every_picture_is_drawn_as_it_was() {
    let (stormy, steady) = (stormy(), Run::steady());
    let summaries = [&stormy, &steady].map(Run::summary);
    let of_stormy = pictures(&stormy, &summaries[0]);
    let of_steady = pictures(&steady, &summaries[1]);
    let logs = [
        Subject { name: "stormy", summary: &summaries[0], pictures: &of_stormy },
        Subject { name: "steady", summary: &summaries[1], pictures: &of_steady },
    ];
    for &picture in Picture::ALL {
        let drawing = draw(picture, &logs).unwrap();
        check(&format!("{picture}.gp"), &drawing.script);
        check(&format!("{picture}.dat"), &drawing.data);
    }
}

#[test]
fn a_run_without_requests_still_makes_every_picture() {
    let run = Run { is_killed: true, ..Run::of(vec![vec![]]) };
    let summary = run.summary();
    let pictures = pictures(&run, &summary);
    let log = Subject { name: "empty", summary: &summary, pictures: &pictures };
    for &picture in Picture::ALL {
        let drawing = draw(picture, &[log, log]).unwrap();
        assert!(!drawing.script.contains("NaN:") && !drawing.script.contains("inf"), "{picture}");
        assert!(!drawing.script.contains(":inf") && !drawing.data.contains("inf"), "{picture}");
    }
}

#[test]
fn one_log_and_several_have_different_pictures() {
    let one: Vec<_> = Picture::of_logs(1).collect();
    let several: Vec<_> = Picture::of_logs(3).collect();
    assert_eq!(several, [Picture::Compare]);
    assert_eq!(one.len() + several.len(), Picture::ALL.len());
}
