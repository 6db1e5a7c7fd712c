//! The command line as typed: words, not yet values.
//!
//! The doc comment of a field is its line in `--help`; `(default X)` at its end is held against
//! what the code does without the flag by a test.

use argh::{ArgsInfo, FromArgs};

/// A heading of `--help` and the flag that it stands before.
pub(super) type Group = (&'static str, &'static str);

#[derive(FromArgs, ArgsInfo, Debug, Default)]
/// Generates load on a schedule, writes the log and prints the report. Without a URL it starts
/// the built-in HTTP target on a spare CPU for the length of the run.
#[argh(
    name = "run",
    subcommand,
    example = "onrush run -R 3000 -c 256 -d 30s http://127.0.0.1:8080/",
    example = "onrush run -R 300 -P rush -f -c 1000 http://127.0.0.1:8080/",
    example = "onrush run -R 5k --slo 'p99<1ms,err<0.1%' --json run.json tcp://[::1]:7000"
)]
pub(super) struct RunArgs {
    /// sessions per second over all shards: 500, 50k, 1.5M or max (default max)
    #[argh(option, short = 'R', arg_name = "RATE")]
    pub rate: Option<String>,

    /// the most sessions open at a time, over all shards (default 64)
    #[argh(option, short = 'c', arg_name = "N")]
    pub concurrence: Option<String>,

    /// how arrivals lie in time: even, rush[:PERIOD] or random[:exp|uniform] (default even)
    #[argh(option, short = 'P', arg_name = "PATTERN")]
    pub pattern: Option<String>,

    /// length of the measure phase; a bare number is seconds (default 10s)
    #[argh(option, short = 'd', arg_name = "T")]
    pub duration: Option<String>,

    /// go on until the error bar of a percentile is that narrow, like p99:5%
    #[argh(option, arg_name = "PN:X%")]
    pub target_ci: Option<String>,

    /// and at most so long (ten times --duration)
    #[argh(option, arg_name = "T")]
    pub max_duration: Option<String>,

    /// stop after N sessions instead
    #[argh(option, short = 'n', arg_name = "N")]
    pub count: Option<String>,

    /// time before the measure phase, logged but not counted (default 0)
    #[argh(option, short = 'w', arg_name = "T")]
    pub warmup: Option<String>,

    /// requests in series per session (default 1)
    #[argh(option, short = 'r', arg_name = "N")]
    pub requests: Option<String>,

    /// time between a request's end and the next of its session (default 0)
    #[argh(option, arg_name = "T")]
    pub think: Option<String>,

    /// a fresh connection for each session
    #[argh(switch, short = 'f')]
    pub fresh: bool,

    /// how a fresh session ends its connection: fin, rst or recycle (default fin)
    #[argh(option, arg_name = "HOW")]
    pub close: Option<String>,

    /// what becomes of an arrival that meets the cap: defer or drop (default defer)
    #[argh(option, arg_name = "WHAT")]
    pub on_cap: Option<String>,

    /// longest wait for an answer, connect included where it is fresh (default 5s)
    #[argh(option, arg_name = "T")]
    pub timeout: Option<String>,

    /// seed of the arrivals: the same seed and plan give the same arrivals (default 1)
    #[argh(option, arg_name = "N")]
    pub seed: Option<String>,

    /// HTTP method (GET, or POST where there is a body)
    #[argh(option, short = 'm', arg_name = "METHOD")]
    pub method: Option<String>,

    /// HTTP header, may be repeated
    #[argh(option, short = 'H', arg_name = "'K: V'")]
    pub header: Vec<String>,

    /// HTTP body, or the file that holds it
    #[argh(option, short = 'b', arg_name = "S|@FILE")]
    pub body: Option<String>,

    /// statuses that are ok, like 200-204,304 or 2xx; without it all are
    #[argh(option, arg_name = "LIST")]
    pub expect_status: Option<String>,

    /// size of a tcp:// request (default 64)
    #[argh(option, arg_name = "N")]
    pub send_bytes: Option<String>,

    /// size of a tcp:// answer (default 64)
    #[argh(option, arg_name = "N")]
    pub expect_bytes: Option<String>,

    /// what is done with EPICS channels: monitor, get, put, or a search for their names alone
    /// (default monitor)
    #[argh(option, arg_name = "WHAT")]
    pub op: Option<String>,

    /// subscriptions of each channel (default 1)
    #[argh(option, arg_name = "N")]
    pub monitors: Option<String>,

    /// connections that the channels are spread over (default 1)
    #[argh(option, arg_name = "N")]
    pub circuits: Option<String>,

    /// whom to be like: libca, pvxs, or greedy, who asks for the least (default greedy)
    #[argh(option, arg_name = "WHOM")]
    pub profile: Option<String>,

    /// updates that a pva server is to hold for a subscription (the server's own)
    #[argh(option, arg_name = "N")]
    pub queue: Option<String>,

    /// the pva server waits for an acknowledgement of each N updates (it does not wait)
    #[argh(option, arg_name = "N")]
    pub ack: Option<String>,

    /// search for the names at the URL's address: udp (what --op search does), tcp or none
    /// (default none)
    #[argh(option, arg_name = "HOW")]
    pub search: Option<String>,

    /// allow --op search the standard EPICS ports where others hear it
    #[argh(switch)]
    pub i_own_this_network: bool,

    /// IPv4 only
    #[argh(switch, short = '4')]
    pub ipv4: bool,

    /// IPv6 only
    #[argh(switch, short = '6')]
    pub ipv6: bool,

    /// run with the connections that do open, where some do not
    #[argh(switch)]
    pub allow_partial: bool,

    /// gates that make the exit code 3 when breached, like 'p99<1ms,err<0.1%'
    #[argh(option, arg_name = "GATES")]
    pub slo: Option<String>,

    /// pinned threads (one per CPU, of no more CPUs than connections)
    #[argh(option, short = 't', arg_name = "N")]
    pub shards: Option<String>,

    /// exactly these CPUs, like 0-3,8 (those allowed, less the lowest where the target is here)
    #[argh(option, arg_name = "LIST")]
    pub cpus: Option<String>,

    /// what a shard does when nothing is due: spin or sleep (default spin)
    #[argh(option, arg_name = "HOW")]
    pub idle: Option<String>,

    /// what stamps: tsc, monotonic, monotonic-raw, monotonic-coarse or realtime (default tsc)
    #[argh(option, arg_name = "NAME")]
    pub clock: Option<String>,

    /// source addresses, like 127.0.0.2,127.0.0.8-127.0.0.15,10.0.0.0/28 (the kernel's choice)
    #[argh(option, arg_name = "LIST")]
    pub source: Option<String>,

    /// source ports, split between the shards (default 10000-65000)
    #[argh(option, arg_name = "LO-HI")]
    pub ports: Option<String>,

    /// a kernel thread submits: no system calls, at the price of a CPU
    #[argh(switch)]
    pub sqpoll: bool,

    /// the CPU of that kernel thread
    #[argh(option, arg_name = "N")]
    pub sqpoll_cpu: Option<String>,

    /// report the CPU use of this process
    #[argh(option, arg_name = "PID")]
    pub watch_pid: Option<String>,

    /// report the traffic of this network device
    #[argh(option, arg_name = "DEV")]
    pub watch_dev: Option<String>,

    /// the log; an existing one is renamed FILE.old (default onrush.data)
    #[argh(option, short = 'o', arg_name = "FILE")]
    pub out: Option<String>,

    /// requests that the log keeps: all, 1/N of the sessions, errors, slow:T (those of T or more,
    /// and errors) or none; counters and percentiles are always whole (default all)
    #[argh(option, arg_name = "WHICH")]
    pub log: Option<String>,

    /// on stdout: text, json, html, csv, hgrm, hlog, fortio, oha or wrk (default text)
    #[argh(option, arg_name = "FORMAT")]
    pub format: Option<String>,

    /// the JSON report into a file, beside the one on stdout
    #[argh(option, arg_name = "FILE")]
    pub json: Option<String>,

    /// the full spectrum of response times
    #[argh(switch)]
    pub latency: bool,

    /// a note kept in log and report, may be repeated
    #[argh(option, arg_name = "K=V")]
    pub label: Vec<String>,

    /// no progress and no notices
    #[argh(switch, short = 'q')]
    pub quiet: bool,

    /// http://host\[:port]/path, tcp://host:port, ca://host\[:port]/NAMES or pva://...; NAMES is
    /// one, a range or @FILE
    #[argh(positional, arg_name = "URL")]
    pub url: Option<String>,
}

impl RunArgs {
    pub(super) const GROUPS: &[Group] =
        &[("Load", "--rate"), ("Machine", "--shards"), ("Output", "--out")];
}

#[derive(FromArgs, ArgsInfo, Debug, Default)]
/// Prints the report again, from the log alone. Several logs of one plan merge without loss.
#[argh(
    name = "report",
    subcommand,
    example = "onrush report",
    example = "onrush report --from 2s --to 3s --outcome timeout",
    example = "onrush report --format json monday.data tuesday.data",
    example = "onrush report --format html >report.html"
)]
pub(super) struct ReportArgs {
    /// requests intended at this time after the start of the measure phase, or later
    #[argh(option, arg_name = "T")]
    pub from: Option<String>,

    /// requests intended before this time after the start of the measure phase
    #[argh(option, arg_name = "T")]
    pub to: Option<String>,

    /// leave out the start of the measure phase: T long, or auto, where it settles (default 0)
    #[argh(option, short = 'w', arg_name = "T|auto")]
    pub warmup: Option<String>,

    /// phases to count, like warmup,measure (default measure)
    #[argh(option, arg_name = "LIST")]
    pub phase: Option<String>,

    /// shards to count, like 0-3,8 (all)
    #[argh(option, arg_name = "LIST")]
    pub shard: Option<String>,

    /// outcomes to count, like reset,timeout (all)
    #[argh(option, arg_name = "LIST")]
    pub outcome: Option<String>,

    /// statuses to count, like 2xx,304 (all)
    #[argh(option, arg_name = "LIST")]
    pub status: Option<String>,

    /// on stdout: text, json, html, csv, hgrm, hlog, fortio, oha or wrk (default text)
    #[argh(option, arg_name = "FORMAT")]
    pub format: Option<String>,

    /// the JSON report into a file, beside the one on stdout
    #[argh(option, arg_name = "FILE")]
    pub json: Option<String>,

    /// the full spectrum of --series
    #[argh(switch)]
    pub latency: bool,

    /// one of response, service, wait, lag, connect, first_byte and session, for --latency and
    /// the formats from hgrm on (default response; hlog: all)
    #[argh(option, arg_name = "NAME")]
    pub series: Option<String>,

    /// a row for each interval of time, in text, json and csv
    #[argh(switch)]
    pub timeseries: bool,

    /// length of an interval of an hlog (default 1s)
    #[argh(option, arg_name = "T")]
    pub interval: Option<String>,

    /// merge logs whose loads differ
    #[argh(switch)]
    pub force: bool,

    /// no notices
    #[argh(switch, short = 'q')]
    pub quiet: bool,

    /// what runs wrote (onrush.data)
    #[argh(positional, arg_name = "LOG")]
    pub logs: Vec<String>,
}

impl ReportArgs {
    pub(super) const GROUPS: &[Group] = &[("Cut", "--from"), ("Output", "--format")];
}

#[derive(FromArgs, ArgsInfo, Debug, Default)]
/// Shows a run while it runs, from its log alone; a line at a time where stdout is no terminal.
#[argh(
    name = "top",
    subcommand,
    example = "onrush top",
    example = "onrush top --interval 200ms night.data"
)]
pub(super) struct TopArgs {
    /// how often to look (default 1s)
    #[argh(option, arg_name = "T")]
    pub interval: Option<String>,

    /// leave after this many looks (when the run ends)
    #[argh(option, short = 'n', arg_name = "N")]
    pub count: Option<String>,

    /// what the run writes (onrush.data)
    #[argh(positional, arg_name = "LOG")]
    pub log: Option<String>,
}

#[derive(FromArgs, ArgsInfo, Debug, Default)]
/// Draws a log, or several over each other: scripts for gnuplot with their data, and the images
/// where gnuplot is installed. One log gives percentiles, distribution, heat-map, timeline,
/// lifetimes and lag; several give compare.
#[argh(
    name = "plot",
    subcommand,
    example = "onrush plot",
    example = "onrush plot --only lifetimes --from 4.8s --to 5.5s -o stall monday.data",
    example = "onrush plot --image png monday.data tuesday.data"
)]
pub(super) struct PlotArgs {
    /// the folder for all files (default onrush.plots)
    #[argh(option, short = 'o', arg_name = "DIR")]
    pub out: Option<String>,

    /// these pictures, like percentiles,heat-map (all that the logs give)
    #[argh(option, arg_name = "NAME,...")]
    pub only: Option<String>,

    /// the time axis begins here, from the start of the measure phase (its start; for lifetimes
    /// what is around the longest response)
    #[argh(option, arg_name = "T")]
    pub from: Option<String>,

    /// the time axis ends here (the end of the measure phase)
    #[argh(option, arg_name = "T")]
    pub to: Option<String>,

    /// the images: svg, png, pdf or none (default svg)
    #[argh(option, arg_name = "FORMAT")]
    pub image: Option<String>,

    /// no notices
    #[argh(switch, short = 'q')]
    pub quiet: bool,

    /// what runs wrote (onrush.data)
    #[argh(positional, arg_name = "LOG")]
    pub logs: Vec<String>,
}

impl PlotArgs {
    pub(super) const GROUPS: &[Group] = &[("Pictures", "--out")];
}

#[derive(FromArgs, ArgsInfo, Debug, Default)]
/// A built-in target: http, echo, or ca, a Channel Access server of PVs whose values count. Runs
/// until a signal or --duration, then prints its figures.
#[argh(
    name = "serve",
    subcommand,
    example = "onrush serve http --listen 127.0.0.1:8080 --delay exp:5ms --workers 4",
    example = "onrush serve echo --listen [::1]:7000 --cpus 0",
    example = "onrush serve ca --listen 127.0.0.1:5064 --pvs 100 --rate 100",
    example = "onrush serve pva --listen 127.0.0.1:5075 --search-port 5076 --prefix LAB:"
)]
pub(super) struct ServeArgs {
    /// where to listen, ca and pva for searches, too; port 0 is any free one (127.0.0.1:8080; ca
    /// 5064, pva 5075)
    #[argh(option, arg_name = "ADDR:PORT")]
    pub listen: Option<String>,

    /// work on a request: T, fixed:T, exp:T or uniform:A-B (default 0)
    #[argh(option, arg_name = "LAW")]
    pub delay: Option<String>,

    /// requests worked on at a time, the others wait in line; one shard only (all)
    #[argh(option, arg_name = "K")]
    pub workers: Option<String>,

    /// do nothing for T, AT after the first request or subscription, and again EVERY; like
    /// 400ms@2s/10s
    #[argh(option, arg_name = "T@AT[/EVERY]")]
    pub stall: Option<String>,

    /// share of requests that fail: http says 500, echo hangs up (default 0)
    #[argh(option, arg_name = "P")]
    pub fail_rate: Option<String>,

    /// share of requests at which the connection is reset (default 0)
    #[argh(option, arg_name = "P")]
    pub reset_rate: Option<String>,

    /// seed of all that is random (default 1)
    #[argh(option, arg_name = "N")]
    pub seed: Option<String>,

    /// size of an http answer's body (default 64)
    #[argh(option, arg_name = "N")]
    pub body_bytes: Option<String>,

    /// close a connection after this many answers
    #[argh(option, arg_name = "N")]
    pub close_after: Option<String>,

    /// end after this time
    #[argh(option, short = 'd', arg_name = "T")]
    pub duration: Option<String>,

    /// number of PVs: P0 to P(N-1) (default 100)
    #[argh(option, arg_name = "N")]
    pub pvs: Option<String>,

    /// UDP port where PVs are searched for, shared with other servers (that of --listen)
    #[argh(option, arg_name = "PORT")]
    pub search_port: Option<String>,

    /// posts of each PV per second; its value grows by one at each (default 10)
    #[argh(option, arg_name = "RATE")]
    pub rate: Option<String>,

    /// fall silent after this time: the last values stay, and clients can check them
    #[argh(option, arg_name = "T")]
    pub post_for: Option<String>,

    /// what the names begin with (default P)
    #[argh(option, arg_name = "P")]
    pub prefix: Option<String>,

    /// what the values are: double or long (default double)
    #[argh(option, long = "type", arg_name = "TYPE")]
    pub pv_type: Option<String>,

    /// elements of a value: the count, the count plus 1, ... (default 1)
    #[argh(option, arg_name = "N")]
    pub array: Option<String>,

    /// how posts lie in time: rush, all PVs at each tick; even; or random (default rush)
    #[argh(option, short = 'P', arg_name = "PATTERN")]
    pub pattern: Option<String>,

    /// most clients of a shard (4096, or what descriptors allow)
    #[argh(option, arg_name = "K")]
    pub clients_max: Option<String>,

    /// slow clients get every update, and are cut off when too many wait; else the newest
    #[argh(switch)]
    pub no_coalesce: bool,

    /// every N updates leave one out
    #[argh(option, arg_name = "N")]
    pub drop_every: Option<String>,

    /// every N updates send one twice
    #[argh(option, arg_name = "N")]
    pub repeat_every: Option<String>,

    /// every N updates send the value before again
    #[argh(option, arg_name = "N")]
    pub backwards_every: Option<String>,

    /// allow the standard EPICS ports where others can see them
    #[argh(switch)]
    pub i_own_this_network: bool,

    /// pinned threads (as many as --cpus names; 1 without it)
    #[argh(option, short = 't', arg_name = "N")]
    pub shards: Option<String>,

    /// exactly these CPUs, like 0-3,8 (the lowest allowed ones)
    #[argh(option, arg_name = "LIST")]
    pub cpus: Option<String>,

    /// what a shard does when nothing is due: spin or sleep (default sleep)
    #[argh(option, arg_name = "HOW")]
    pub idle: Option<String>,

    /// text or json on stdout (default text)
    #[argh(option, arg_name = "FORMAT")]
    pub format: Option<String>,

    /// end when this process does, which started it
    #[argh(option, arg_name = "PID", hidden_help)]
    pub with_parent: Option<String>,

    /// http, echo, ca or pva
    #[argh(positional, arg_name = "KIND")]
    pub kind: String,
}

impl ServeArgs {
    pub(super) const GROUPS: &[Group] = &[
        ("Answers", "--listen"),
        ("PVs", "--pvs"),
        ("Machine", "--shards"),
        ("Output", "--format"),
    ];
}

#[derive(FromArgs, ArgsInfo, Debug, Default)]
/// This machine's floor: least latency, most rate, noise between equal runs. Kept for later
/// reports to stand beside.
#[argh(
    name = "selftest",
    subcommand,
    example = "onrush selftest",
    example = "onrush selftest --quick --format json"
)]
pub(super) struct SelftestArgs {
    /// a few seconds instead of some twenty, and so less sure
    #[argh(switch)]
    pub quick: bool,

    /// text or json on stdout (default text)
    #[argh(option, arg_name = "FORMAT")]
    pub format: Option<String>,
}

#[derive(FromArgs, ArgsInfo, Debug, Default)]
/// Cost, resolution and agreement of every clock source here, measured.
#[argh(name = "clocks", subcommand, example = "onrush clocks")]
pub(super) struct ClocksArgs {}

#[derive(FromArgs, ArgsInfo, Debug, Default)]
/// What on this machine would spoil a run, each with its remedy.
#[argh(
    name = "doctor",
    subcommand,
    example = "onrush doctor",
    example = "onrush doctor http://127.0.0.1:8080/"
)]
pub(super) struct DoctorArgs {
    /// the target of the run in question
    #[argh(positional, arg_name = "URL")]
    pub url: Option<String>,
}
