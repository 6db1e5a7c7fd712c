//! The report as one page that needs nothing else: pictures inline, no network, no fonts.

mod chart;
mod figures;
mod tables;

use std::fmt::Write as _;

use super::{findings, text};
use crate::outcome::pictures::{Pictures, Window, caption};
use crate::outcome::{SeriesName, State, Summary};

/// Writes the page of `summary`; `logs` are the logs that it is of, by name, with what they show.
pub fn write(summary: &Summary, logs: &[(String, Pictures)]) -> String {
    let title = escaped(&format!("{} - onrush", summary.plan.target.url));
    let mut page = format!(
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>\n\
         <meta name='viewport' content='width=device-width, initial-scale=1'>\n\
         <meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{}</style></head><body><main>\n",
        include_str!("page.css")
    );
    page.push_str(&header(summary));
    let has_requests = text::has_requests(summary);
    if has_requests {
        page.push_str(&figures::percentiles(summary));
        page.push_str(&figures::timeline(summary, Window::of(summary)));
    }
    for (log, (name, pictures)) in (1..).zip(logs) {
        if logs.len() > 1 {
            let _ = writeln!(page, "<h2>{}</h2>", escaped(name));
        }
        if has_requests {
            page.push_str(&figures::heat_map(pictures, log));
            page.push_str(&figures::lifetimes(pictures, log));
        }
        page.push_str(&figures::lag(pictures, log));
    }
    page.push_str(&tables::write(summary));
    let spectrum = Some(SeriesName::Response);
    let options = text::Options { spectrum, ..text::Options::default() };
    let whole = text::write(summary, options);
    let _ = write!(
        page,
        "<section><h2>As text</h2><details><summary>The whole report</summary>\n\
         <pre>{}</pre></details></section>\n</main>\n<script>\n{}</script></body></html>\n",
        escaped(&whole),
        include_str!("page.js")
    );
    page
}

/// The verdict and what to do about it; then the plan.
fn header(summary: &Summary) -> String {
    let verdict = summary.verdict;
    let url = escaped(&summary.plan.target.url);
    let mut out = format!(
        "<h1>{url}</h1>\n<p>{}</p>\n<div class='verdict {verdict}'><strong>{verdict}</strong>",
        escaped(&caption(summary)),
    );
    let bad = |state| matches!(state, State::Suspect | State::Invalid);
    let found: Vec<_> = summary.checks.iter().filter(|check| bad(check.state)).collect();
    if found.is_empty() {
        let line = findings::verdict(summary, false);
        let why = line.split_once(": ").map_or("", |(_, why)| why);
        let _ = write!(out, " {}", escaped(why));
    } else {
        out.push_str("\n<ul>");
        for check in found {
            let seen = escaped(&findings::seen(check.says, check));
            let _ = write!(out, "<li>{seen}: {}</li>", escaped(&check.remedy));
        }
        out.push_str("</ul>");
    }
    out.push_str("</div>\n<dl>\n");
    let lines = [text::plan(summary), text::counts(summary)].concat();
    for line in lines.lines() {
        let (name, words) = line.split_at_checked(11).unwrap_or((line, ""));
        let (name, words) = (escaped(name.trim()), escaped(words.trim()));
        let _ = writeln!(out, "<dt>{name}</dt><dd>{words}</dd>");
    }
    out.push_str("</dl>\n");
    out
}

/// Text escaped for HTML, and for the value of an attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::evidence::Entry;
    use crate::outcome::sample::Run;
    use crate::unit::Instant;

    fn page(run: &Run) -> String {
        let (summary, start) = (run.summary(), Instant(5_000_000_000));
        let pictures = Pictures::gather(&summary, start, |take| {
            let requests = run.shards.iter().flat_map(|shard| &shard.requests);
            requests.for_each(|request| take(0, &Entry::Request(*request)));
            Ok::<(), Infallible>(())
        });
        let Ok(pictures) = pictures;
        write(&summary, &[("a.data".into(), pictures.clone()), ("b.data".into(), pictures)])
    }

    /// What stands between `before` and the quote that it ends with.
    fn attributes<'a>(page: &'a str, before: &str) -> Vec<&'a str> {
        let rest = page.split(before).skip(1);
        rest.filter_map(|rest| rest.split('\'').next()).collect()
    }

    #[test]
    fn a_page_asks_for_nothing_from_elsewhere() {
        let page = page(&Run::steady());
        for outside in [" src=", " href=", "@import", "url(", "<link", "<iframe", "fetch("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("default-src 'none'"));
    }

    #[test]
    fn what_others_wrote_is_only_text() {
        let mut run = Run::steady();
        run.plan.target.url = "http://h/?a='\"><script>alert(1)</script>&amp;".into();
        run.plan.labels = vec!["k=<b>".into()];
        run.evidence.notices = vec!["</pre><script>".into()];
        let page = page(&run);
        assert_eq!(page.matches("<script>").count(), 1, "our own");
        assert!(!page.contains("<b>") && page.contains("k=&lt;b&gt;"));
    }

    #[test]
    fn every_part_of_a_page_can_be_named() {
        let page = page(&Run::steady());
        let mut ids = attributes(&page, " id='");
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "no two are the same: {ids:?}");
        let labels = attributes(&page, "aria-labelledby='");
        assert!(labels.len() >= 5 && labels.iter().all(|label| ids.contains(label)));
        assert_eq!(page.matches("<svg ").count(), labels.len());
        assert_eq!(page.matches("<table>").count(), page.matches("<caption>").count());
        for tag in ["section", "svg", "table", "tr", "td", "figure", "text", "ul", "dl"] {
            let opened = page.matches(&format!("<{tag}>")).count()
                + page.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }

    #[test]
    fn a_page_of_a_monitor_has_its_times_and_no_picture_of_requests() {
        let page = page(&Run::watching());
        let (shown, _) = page.split_once("<h2>As text").unwrap();
        assert!(shown.contains(">age</td>") && shown.contains(">gap</td>"), "{shown}");
        assert!(!shown.contains("esponse") && !shown.contains("Outcomes and"), "{shown}");
        assert!(!shown.contains("<tbody>\n</tbody>"), "a table without a row: {shown}");
    }

    #[test]
    fn a_run_without_requests_has_a_page_without_numbers_that_are_none() {
        let page = page(&Run { is_killed: true, ..Run::of(vec![vec![]]) });
        let (shown, _) = page.split_once("<script>").unwrap();
        assert!(!shown.contains("NaN") && !shown.contains("inf"), "{shown}");
    }
}
