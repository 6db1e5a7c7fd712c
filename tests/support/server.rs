//! Servers, most of them written by others, each a child of the test on a free port of loopback
//! with a folder of its own, ended by pid when the test ends.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};

use super::{Folder, wait_for};

/// A running server.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    folder: Folder,
}

/// A request as nginx logged it.
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) status: u16,
    pub(crate) bytes_sent: u64,
    pub(crate) request_bytes: u64,
    pub(crate) connection: u64,
    pub(crate) request_of_connection: u64,
    pub(crate) method: String,
    pub(crate) body_bytes: u64,
}

/// What nginx answers on `/`.
pub(crate) const PAGE: &str = "<!doctype html><title>onrush</title><p>it works</p>\n";

/// What nginx answers on `/big`, in bytes.
pub(crate) const BIG_BYTES: usize = 1 << 20;

impl Server {
    /// nginx in one process, with its access log; `/` a small page, `/big` a large one, `/empty`
    /// a 204, `/post` takes a body, anything else is a 404.
    pub(crate) fn nginx(keepalive_requests: u32) -> Self {
        let folder = Folder::new();
        folder.write("www/index.html", PAGE);
        folder.write("www/big", vec![b'x'; BIG_BYTES]);
        let address = free_address();
        let here = folder.path().display();
        let user = if Uid::effective().is_root() { "user root;" } else { "" };
        let temp_paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {here}/{name};"))
            .concat();
        let config = format!(
            "daemon off; master_process off; pid {here}/nginx.pid; error_log {here}/error.log;
             {user}
             events {{ worker_connections 8192; }}
             http {{
                 {temp_paths}
                 log_format counts '$status $bytes_sent $request_length $connection '
                                   '$connection_requests $request_method $content_length';
                 access_log {here}/access.log counts;
                 keepalive_requests {keepalive_requests};
                 keepalive_timeout 60s;
                 client_max_body_size 64m;
                 server {{
                     listen {address} backlog=4096;
                     root {here}/www;
                     location = /empty {{ return 204; }}
                     location = /post {{ return 200 \"stored\\n\"; }}
                 }}
             }}"
        );
        let config = folder.write("nginx.conf", config);
        let error_log = folder.join("error.log");
        Self::start("nginx", folder, address, |command| {
            command.arg("-e").arg(error_log).arg("-c").arg(config);
        })
    }

    /// lighttpd, which answers `/` with a CGI script's output, chunked since it has no length.
    pub(crate) fn lighttpd() -> Self {
        let folder = Folder::new();
        // Larger than what lighttpd gathers to find the length itself.
        folder.write(
            "www/chunks.py",
            "import sys, time\n\
             sys.stdout.write('Content-Type: text/plain\\r\\n\\r\\n')\n\
             for _ in range(3):\n    \
                 sys.stdout.write('chunk ' * 500); sys.stdout.flush(); time.sleep(0.002)\n",
        );
        let address = free_address();
        let here = folder.path().display();
        let python = path_of("python3").display().to_string();
        let config = format!(
            "server.modules = ( \"mod_cgi\" )
             server.document-root = \"{here}/www\"
             server.bind = \"{}\"
             server.port = {}
             server.errorlog = \"{here}/error.log\"
             server.upload-dirs = ( \"{here}\" )
             server.stream-response-body = 2
             cgi.assign = ( \".py\" => \"{python}\" )\n",
            address.ip(),
            address.port(),
        );
        let config = folder.write("lighttpd.conf", config);
        Self::start("lighttpd", folder, address, |command| {
            command.arg("-D").arg("-f").arg(config);
        })
    }

    /// Python's http.server on a folder with `index.html`: HTTP/1.0, closes after each answer.
    pub(crate) fn python() -> Self {
        let folder = Folder::new();
        folder.write("index.html", PAGE);
        let address = free_address();
        let here = folder.path().to_owned();
        Self::start("python3", folder, address, |command| {
            let bind = address.ip().to_string();
            command.args(["-u", "-m", "http.server", "--bind", &bind, "--directory"]).arg(here);
            command.arg(address.port().to_string());
        })
    }

    /// Redis without persistence.
    pub(crate) fn redis() -> Self {
        let folder = Folder::new();
        let address = free_address();
        let here = folder.path().to_owned();
        Self::start("redis-server", folder, address, |command| {
            let (host, port) = (address.ip().to_string(), address.port().to_string());
            command.args(["--bind", &host, "--port", &port, "--save", "", "--dir"]).arg(here);
        })
    }

    /// `onrush serve KIND`, our own.
    pub(crate) fn onrush(kind: &str, options: &[&str]) -> Self {
        let address = free_address();
        Self::start(env!("CARGO_BIN_EXE_onrush"), Folder::new(), address, |command| {
            command.args(["serve", kind, "--listen", &address.to_string()]).args(options);
        })
    }

    fn start(
        program: &str,
        folder: Folder,
        address: SocketAddr,
        arrange: impl FnOnce(&mut Command),
    ) -> Self {
        let output = File::create(folder.join("output")).unwrap();
        let mut command = Command::new(path_of(program));
        arrange(&mut command);
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap_or_else(|e| panic!("{program}: {e}; tools/setup installs it"));
        let mut server = Self { child, address, folder };
        let ready = wait_for(Duration::from_secs(20), || {
            match (server.child.try_wait().unwrap(), TcpStream::connect(address)) {
                (Some(status), _) => Some(Err(status)),
                (None, Ok(_)) => Some(Ok(())),
                (None, Err(_)) => None,
            }
        });
        if ready != Some(Ok(())) {
            panic!("{program} does not listen ({ready:?}): {}", server.output());
        }
        server
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The whole answer to a GET, as it comes off the wire.
    pub(crate) fn answer(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Ends the server and gives all that it printed.
    pub(crate) fn output(mut self) -> String {
        self.end();
        fs::read_to_string(self.folder.join("output")).unwrap()
    }

    /// Ends nginx and reads what it logged: all of it is there once the process is gone.
    pub(crate) fn access_log(mut self) -> Vec<Access> {
        self.end();
        let text = fs::read_to_string(self.folder.join("access.log")).unwrap();
        text.lines().map(Access::parse).collect()
    }

    fn end(&mut self) {
        let pid = Pid::from_raw(self.child.id().cast_signed());
        let _ = kill(pid, Signal::SIGTERM);
        if wait_for(Duration::from_secs(5), || self.child.try_wait().unwrap()).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

impl Access {
    fn parse(line: &str) -> Self {
        let fields: Vec<&str> = line.split(' ').collect();
        let number = |i: usize| fields[i].parse::<u64>().unwrap_or(0);
        Self {
            status: fields[0].parse().unwrap_or_else(|_| panic!("no status: {line}")),
            bytes_sent: number(1),
            // A body that nginx throws away is not in its $request_length.
            request_bytes: number(2) + number(6),
            connection: number(3),
            request_of_connection: number(4),
            method: fields[5].to_owned(),
            body_bytes: number(6),
        }
    }
}

/// A port of loopback that nobody listens on at the moment.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// Servers often live in sbin, which is not on everybody's path.
fn path_of(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(Into::into));
    let mut candidates = folders.map(|folder: PathBuf| folder.join(OsStr::new(program)));
    candidates
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{program} is not installed; tools/setup installs it"))
}
