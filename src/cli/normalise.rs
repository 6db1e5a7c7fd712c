//! The command line in the one form that the parser takes.
//!
//! argh wants `--name value`, once, before the operands. Users type `-c100`, `--rate=10k`,
//! `-fc 100`, repeat a flag to change their mind, and put the URL in the middle. Here all of that
//! becomes long flags with their values, then `--` and the operands. A flag that does not
//! accumulate keeps its last value, as in wrk.

use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality};

use super::error::CliError;

/// A line, made plain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// The user asks for help.
    Help,
    /// The user asks for the version.
    Version,
    /// Words for the parser.
    Words(Vec<String>),
}

/// A short flag that is understood but not in `--help`, and the flag that it stands for.
const HIDDEN: (char, &str) = ('z', "--duration");

/// Makes the words after the command plain.
///
/// # Errors
/// A flag that the command does not have, lacks its value or does not take one; an operand too
/// many.
pub(super) fn normalise(info: &CommandInfoWithArgs, typed: &[String]) -> Result<Line, CliError> {
    let mut line = Plain { info, flags: Vec::new(), operands: Vec::new() };
    let mut rest = typed.iter();
    while let Some(word) = rest.next() {
        let asked = if word == "--" {
            rest.by_ref().try_for_each(|operand| line.operand(operand))?;
            None
        } else if word.starts_with("--") {
            line.long(word, &mut rest)?
        } else if word.len() > 1 && word.starts_with('-') {
            line.cluster(word, &mut rest)?
        } else {
            line.operand(word)?;
            None
        };
        if let Some(asked) = asked {
            return Ok(asked);
        }
    }
    line.check_operands()?;
    Ok(Line::Words(line.into_words()))
}

/// What other load generators call some of our flags.
const ELSEWHERE: [(&str, &str); 4] = [
    ("--connections", "--concurrence"),
    ("--threads", "--shards"),
    ("--qps", "--rate"),
    ("--output", "--out"),
];

/// The one of `names` that is most like `typed`, where one is like it at all.
pub(super) fn nearest(
    typed: &str,
    names: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    /// Below this two names have little in common; two letters swapped in three are above it.
    const LIKENESS_MIN: f64 = 0.6;
    let bare = |name: &str| name.trim_start_matches('-').to_owned();
    names
        .map(|name| (strsim::normalized_damerau_levenshtein(&bare(typed), &bare(name)), name))
        .filter(|&(likeness, _)| likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

struct Plain<'a> {
    info: &'a CommandInfoWithArgs,
    flags: Vec<(&'static str, Option<String>)>,
    operands: Vec<String>,
}

impl Plain<'_> {
    fn long<'t>(
        &mut self,
        word: &str,
        rest: &mut impl Iterator<Item = &'t String>,
    ) -> Result<Option<Line>, CliError> {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        match name {
            "--help" => return Ok(Some(Line::Help)),
            "--version" => return Ok(Some(Line::Version)),
            _ => {}
        }
        let flag = self.find(|flag| flag.long == name).ok_or_else(|| self.unknown(name))?;
        match (&flag.kind, value) {
            (FlagInfoKind::Switch, None) => self.keep(flag, None),
            (FlagInfoKind::Switch, Some(value)) => {
                return Err(CliError::NeedlessValue { flag: flag.long, value: value.into() });
            }
            (_, Some(value)) => self.keep(flag, Some(value.into())),
            (_, None) => self.keep(flag, Some(next_value(flag, rest)?)),
        }
        Ok(None)
    }

    /// Short flags in one word; the first that takes a value takes what is left of the word, or
    /// else the next one.
    fn cluster<'t>(
        &mut self,
        word: &str,
        rest: &mut impl Iterator<Item = &'t String>,
    ) -> Result<Option<Line>, CliError> {
        for (at, short) in word.char_indices().skip(1) {
            match short {
                'h' => return Ok(Some(Line::Help)),
                'V' => return Ok(Some(Line::Version)),
                _ => {}
            }
            let flag = self
                .find(|flag| flag.short == Some(short) || HIDDEN == (short, flag.long))
                .ok_or_else(|| self.unknown(&format!("-{short}")))?;
            if flag.kind == FlagInfoKind::Switch {
                self.keep(flag, None);
                continue;
            }
            let value = match &word[at + short.len_utf8()..] {
                "" => next_value(flag, rest)?,
                tail => tail.strip_prefix('=').unwrap_or(tail).to_owned(),
            };
            self.keep(flag, Some(value));
            break;
        }
        Ok(None)
    }

    fn operand(&mut self, word: &str) -> Result<(), CliError> {
        let places = self.info.positionals;
        let takes_all =
            places.last().is_some_and(|last| last.optionality == Optionality::Repeating);
        if self.operands.len() >= places.len() && !takes_all {
            return Err(CliError::Surplus { typed: word.into(), command: self.info.name });
        }
        self.operands.push(word.into());
        Ok(())
    }

    fn check_operands(&self) -> Result<(), CliError> {
        let missing = self.info.positionals.get(self.operands.len());
        match missing.filter(|place| place.optionality == Optionality::Required) {
            None => Ok(()),
            Some(place) => Err(CliError::MissingOperand {
                name: place.name,
                wants: place.description,
                example: self.info.examples.first().copied().unwrap_or_default(),
            }),
        }
    }

    fn find(
        &self,
        wanted: impl Fn(&FlagInfo<'static>) -> bool,
    ) -> Option<&'static FlagInfo<'static>> {
        self.info.flags.iter().find(|flag| wanted(flag))
    }

    fn unknown(&self, typed: &str) -> CliError {
        let names = self.info.flags.iter().map(|flag| flag.long);
        let elsewhere = ELSEWHERE.iter().find(|(theirs, _)| *theirs == typed).map(|(_, ours)| ours);
        let known = elsewhere.and_then(|ours| names.clone().find(|name| name == ours));
        // One letter is like too many names to guess from.
        let like = || typed.starts_with("--").then(|| nearest(typed, names)).flatten();
        let nearest = known.or_else(like);
        CliError::UnknownFlag { command: self.info.name, typed: typed.into(), nearest }
    }

    fn keep(&mut self, flag: &FlagInfo<'static>, value: Option<String>) {
        if flag.optionality != Optionality::Repeating {
            self.flags.retain(|(name, _)| *name != flag.long);
        }
        self.flags.push((flag.long, value));
    }

    fn into_words(self) -> Vec<String> {
        let mut words = Vec::new();
        for (name, value) in self.flags {
            words.push(name.to_owned());
            words.extend(value);
        }
        if !self.operands.is_empty() {
            words.push("--".into());
            words.extend(self.operands);
        }
        words
    }
}

fn next_value<'t>(
    flag: &FlagInfo<'static>,
    rest: &mut impl Iterator<Item = &'t String>,
) -> Result<String, CliError> {
    rest.next().cloned().ok_or(CliError::MissingValue { flag: flag.long, wants: flag.description })
}

#[cfg(test)]
mod tests {
    use super::super::args::{ReportArgs, RunArgs};
    use super::*;
    use argh::{ArgsInfo, FromArgs};
    use proptest::prelude::*;

    fn run(typed: &[String]) -> Result<Line, CliError> {
        normalise(&RunArgs::get_args_info(), typed)
    }

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(String::from).collect()
    }

    #[track_caller]
    fn check(typed: &str, plain: &str) {
        assert_eq!(run(&words(typed)), Ok(Line::Words(words(plain))), "{typed}");
    }

    #[track_caller]
    fn check_error(typed: &str, said: &str) {
        let error = run(&words(typed)).unwrap_err();
        assert_eq!(error.to_string(), said);
    }

    #[test]
    fn every_way_to_type_a_value_means_the_same() {
        for typed in ["-c100", "-c 100", "-c=100", "--concurrence=100", "--concurrence 100"] {
            check(typed, "--concurrence 100");
        }
        check("-fc 100", "--fresh --concurrence 100");
        check("-fc100", "--fresh --concurrence 100");
        check("-f4qRmax", "--fresh --ipv4 --quiet --rate max");
        check("-z 5", "--duration 5");
        check("-H a=b --body=c=d", "--header a=b --body c=d");
        let empty = ["--body", ""].map(String::from).to_vec();
        assert_eq!(run(&words("--body=")), Ok(Line::Words(empty)));
    }

    #[test]
    fn operands_come_last_whatever_they_look_like() {
        check("http://a/ -f", "--fresh -- http://a/");
        check("-f -- -x", "--fresh -- -x");
        check("-", "-- -");
    }

    #[test]
    fn the_last_value_wins_except_where_values_accumulate() {
        check("-c 1 -f -c 2 -f", "--concurrence 2 --fresh");
        check("-z 1 -d 2", "--duration 2");
        check("-H a -c 1 -H b", "--header a --concurrence 1 --header b");
        check("--label a=1 --label b=2", "--label a=1 --label b=2");
    }

    #[test]
    fn a_value_may_look_like_a_flag() {
        check("--body --rate -c 1", "--body --rate --concurrence 1");
        check("-R -5", "--rate -5");
    }

    #[test]
    fn help_and_version_are_found_anywhere() {
        for typed in ["-h", "--help", "-fh", "http://a/ -c 1 -h"] {
            assert_eq!(run(&words(typed)), Ok(Line::Help), "{typed}");
        }
        for typed in ["-V", "--version", "-fV --nonsense"] {
            assert_eq!(run(&words(typed)), Ok(Line::Version), "{typed}");
        }
        assert_eq!(run(&words("-b -h")), Ok(Line::Words(words("--body -h"))));
    }

    #[test]
    fn a_mistyped_flag_gets_the_nearest_one() {
        for (typed, meant) in [
            ("--rat", "--rate"),
            ("--concurrency", "--concurrence"),
            ("--connections", "--concurrence"),
            ("--durration", "--duration"),
            ("--on-cpa", "--on-cap"),
            ("--headers", "--header"),
            ("--time-out", "--timeout"),
            ("--threads", "--shards"),
        ] {
            let said = format!("run has no flag '{typed}': did you mean '{meant}'");
            check_error(typed, &said);
        }
        check_error("--xyzzy", "run has no flag '--xyzzy': see onrush run --help");
        check_error("-fx", "run has no flag '-x': see onrush run --help");
    }

    #[test]
    fn a_value_too_few_or_too_many_is_named() {
        let wants = "sessions per second over all shards: 500, 50k, 1.5M or max (default max)";
        check_error("-R", &format!("--rate needs a value: {wants}"));
        check_error("--fresh=yes", "--fresh 'yes': it takes no value, like --fresh alone");
        check_error("a b", "'b' is one word too many: see onrush run --help");
        let says = "one URL is one word, and braces in it need quotes";
        check_error("ca://h/P0 ca://h/P1", &format!("'ca://h/P1' is one word too many: {says}"));
        let logs = normalise(&ReportArgs::get_args_info(), &words("a b -q c"));
        assert_eq!(logs, Ok(Line::Words(words("--quiet -- a b c"))));
    }

    fn any_word() -> impl Strategy<Value = String> {
        prop_oneof![
            proptest::sample::select(vec![
                "-c",
                "-c100",
                "-fc",
                "-f",
                "-z",
                "-H",
                "--",
                "-",
                "--rate",
                "--rate=",
                "--body=-",
                "--label",
                "-b=",
                "-4",
                "--ipv6",
                "é",
                "-é",
                "http://a/",
                "-q",
                "5",
                "-fz9",
            ])
            .prop_map(String::from),
            "-{0,3}[a-zA-Z0-9=é]{0,6}",
        ]
    }

    proptest! {
        #[test]
        fn a_plain_line_stays_as_it_is(typed in proptest::collection::vec(any_word(), 0..8)) {
            if let Ok(Line::Words(plain)) = run(&typed) {
                // The parser finds nothing to refuse in a plain line.
                let words: Vec<&str> = plain.iter().map(String::as_str).collect();
                prop_assert!(RunArgs::from_args(&["run"], &words).is_ok(), "{:?}", plain);
                prop_assert_eq!(run(&plain), Ok(Line::Words(plain)));
            }
        }
    }
}
