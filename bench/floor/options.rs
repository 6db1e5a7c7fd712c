//! What the command line asks for.

use std::str::FromStr;

/// What a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// On a connection that stays, closed loop.
    Kept,
    /// On a connection of its own, closed loop.
    Fresh,
    /// On a socket that is disconnected and connected again, closed loop.
    Recycle,
    /// On a connection that stays, at a rate.
    Open,
}

/// How answers are received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receive {
    /// Armed once, each completion in a shared buffer.
    Multishot,
    /// The same, and a completion may fill several buffers.
    Bundle,
    /// Armed for each answer, polling first, into a buffer of the connection.
    Oneshot,
    /// As one-shot, and the kernel drops the bytes instead of copying them.
    Truncate,
}

/// How the ring runs the work that completions need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taskrun {
    /// When the thread enters for events.
    Defer,
    /// When the thread enters the kernel for anything.
    Coop,
}

/// Everything that can be asked for.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) port: Option<u16>,
    pub(crate) path: String,
    pub(crate) mode: Mode,
    pub(crate) receive: Receive,
    pub(crate) taskrun: Taskrun,
    pub(crate) connections: u32,
    pub(crate) seconds: f64,
    /// Requests per second of the open mode.
    pub(crate) rate: u64,
    pub(crate) cpu: Option<usize>,
    /// Completions that a closed loop waits for, at most one per connection.
    pub(crate) want: u32,
    /// How long it waits for all of them, in us, before one is enough; 0: until they are there.
    pub(crate) min_wait_us: u32,
    pub(crate) buffer_bytes: u32,
    /// The open mode enters only where it has something to submit or the kernel has something
    /// to tell, instead of at each pass.
    pub(crate) on_flag: bool,
    /// A fresh request asks the server to close.
    pub(crate) asks_close: bool,
    pub(crate) smoke: bool,
}

const USAGE: &str = "--url-port N --path P --mode kept|fresh|recycle|open --connections N \
    --seconds S --rate R --cpu N --receive multishot|bundle|oneshot|truncate \
    --taskrun defer|coop --want N --min-wait-us N --buffer-bytes N --poll enter|flag \
    --asks-close yes|no --test";

impl Options {
    pub(crate) fn read(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            port: None,
            path: "/".to_owned(),
            mode: Mode::Kept,
            receive: Receive::Multishot,
            taskrun: Taskrun::Defer,
            connections: 64,
            seconds: 2.0,
            rate: 20_000,
            cpu: None,
            want: 1,
            min_wait_us: 0,
            buffer_bytes: 4096,
            on_flag: false,
            asks_close: true,
            smoke: false,
        };
        while let Some(flag) = args.next() {
            match flag.as_str() {
                "--test" => options.smoke = true,
                "--bench" => {} // cargo bench says so to every benchmark
                _ => {
                    let value = args.next().ok_or_else(|| format!("{flag}: use {USAGE}"))?;
                    options.set(&flag, &value)?;
                }
            }
        }
        options.check()
    }

    fn set(&mut self, flag: &str, value: &str) -> Result<(), String> {
        match flag {
            "--url-port" => self.port = Some(number(flag, value)?),
            "--path" => self.path = value.to_owned(),
            "--mode" => {
                self.mode = word(
                    flag,
                    value,
                    &[
                        ("kept", Mode::Kept),
                        ("fresh", Mode::Fresh),
                        ("recycle", Mode::Recycle),
                        ("open", Mode::Open),
                    ],
                )?;
            }
            "--receive" => {
                self.receive = word(
                    flag,
                    value,
                    &[
                        ("multishot", Receive::Multishot),
                        ("bundle", Receive::Bundle),
                        ("oneshot", Receive::Oneshot),
                        ("truncate", Receive::Truncate),
                    ],
                )?;
            }
            "--taskrun" => {
                let words = [("defer", Taskrun::Defer), ("coop", Taskrun::Coop)];
                self.taskrun = word(flag, value, &words)?;
            }
            "--poll" => self.on_flag = word(flag, value, &[("enter", false), ("flag", true)])?,
            "--asks-close" => self.asks_close = word(flag, value, &[("yes", true), ("no", false)])?,
            "--connections" => self.connections = number(flag, value)?,
            "--seconds" => self.seconds = number(flag, value)?,
            "--rate" => self.rate = number(flag, value)?,
            "--cpu" => self.cpu = Some(number(flag, value)?),
            "--want" => self.want = number(flag, value)?,
            "--min-wait-us" => self.min_wait_us = number(flag, value)?,
            "--buffer-bytes" => self.buffer_bytes = number(flag, value)?,
            _ => return Err(format!("{flag}: use {USAGE}")),
        }
        Ok(())
    }

    /// Sees that what is asked for goes together.
    pub(crate) fn check(mut self) -> Result<Self, String> {
        if self.connections == 0 || self.rate == 0 || self.buffer_bytes == 0 {
            return Err("--connections, --rate and --buffer-bytes are at least 1".to_owned());
        }
        if !(0.01..=600.0).contains(&self.seconds) {
            return Err(format!("--seconds {}: between 0.01 and 600", self.seconds));
        }
        if self.makes_connections() && self.shares_buffers() {
            // A multishot receive would have to be cancelled before its socket can close.
            self.receive = Receive::Oneshot;
        }
        self.want = self.want.clamp(1, self.connections);
        Ok(self)
    }

    /// Each request has a connection of its own.
    pub(crate) fn makes_connections(&self) -> bool {
        matches!(self.mode, Mode::Fresh | Mode::Recycle)
    }

    /// Receives go to the ring's shared buffers.
    pub(crate) fn shares_buffers(&self) -> bool {
        matches!(self.receive, Receive::Multishot | Receive::Bundle)
    }

    /// The request says `Connection: close`.
    pub(crate) fn says_close(&self) -> bool {
        self.mode == Mode::Fresh && self.asks_close
    }
}

fn number<N: FromStr>(flag: &str, value: &str) -> Result<N, String> {
    value.parse().map_err(|_| format!("{flag} {value}: not a number that it takes"))
}

fn word<T: Copy>(flag: &str, value: &str, words: &[(&str, T)]) -> Result<T, String> {
    let found = words.iter().find(|(name, _)| *name == value);
    found.map(|&(_, meaning)| meaning).ok_or_else(|| {
        let names: Vec<_> = words.iter().map(|(name, _)| *name).collect();
        format!("{flag} {value}: one of {}", names.join(" "))
    })
}
