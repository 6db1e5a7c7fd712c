//! What a server says, as a client hears it.

use super::client::REGISTRY;
use super::write::put;
use super::{
    Fault, Frame, Order, Reader, SearchReply, Sender, Type, TypeCache, command, message, sub,
    write_size, write_text,
};

/// How a server judges what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status<'a> {
    /// 0 ok, 1 ok with a warning, 2 error, 3 fatal.
    pub code: u8,
    /// Why; not always UTF-8.
    pub message: &'a [u8],
}

const OK: u8 = 0xff;

impl<'a> Status<'a> {
    /// Well, without a word.
    pub const OK: Self = Self { code: 0, message: b"" };

    /// Whether it was done.
    #[inline]
    pub fn is_ok(&self) -> bool {
        self.code <= 1
    }

    #[inline]
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        match reader.u8()? {
            OK => Ok(Self::OK),
            code => {
                let message = reader.text_bytes()?;
                reader.text_bytes()?;
                Ok(Self { code, message })
            }
        }
    }

    /// Appends it.
    pub fn write(&self, out: &mut Vec<u8>, order: Order) {
        if *self == Self::OK {
            return out.push(OK);
        }
        out.push(self.code);
        write_size(out, order, self.message.len());
        out.extend_from_slice(self.message);
        write_size(out, order, 0);
    }
}

/// A message from a server.
#[derive(Debug, Clone)]
pub enum FromServer<'a> {
    /// What it can take, and how a client may say who it is, the best last.
    Validation {
        /// Bytes of its receive buffer.
        buffer: u32,
        /// The ways.
        methods: Vec<&'a str>,
    },
    /// The client is welcome, or is not.
    Validated(Status<'a>),
    /// What was sent, back.
    Echo(&'a [u8]),
    /// It has these names.
    SearchReply(SearchReply<'a>),
    /// A channel is open, or is not.
    Created {
        /// The client's number of it.
        cid: u32,
        /// The server's.
        sid: u32,
        /// Whether it is.
        status: Status<'a>,
    },
    /// A channel is closed, asked or unasked.
    Destroyed {
        /// The server's number of it.
        sid: u32,
        /// The client's.
        cid: u32,
    },
    /// A request is prepared, or is not.
    Init {
        /// The command it was prepared with.
        command: u8,
        /// The request.
        ioid: u32,
        /// Whether it is.
        status: Status<'a>,
        /// What values will look like, where it is.
        kind: Option<Type>,
    },
    /// An operation is done, or an update is there.
    Data {
        /// The command that the request was prepared with.
        command: u8,
        /// The request.
        ioid: u32,
        /// Bits of [`sub`].
        sub: u8,
        /// How it went; an update has none, but the last.
        status: Status<'a>,
        /// Bit set, fields, and for an update the set of those overrun.
        body: Reader<'a>,
    },
    /// Anything else: the command.
    Other(u8),
}

impl<'a> FromServer<'a> {
    /// Reads a message that is not a control message.
    ///
    /// # Errors
    /// The message ends before, or breaks a limit.
    pub fn read(frame: &Frame<'a>, cache: &mut TypeCache) -> Result<Self, Fault> {
        let mut reader = Reader::new(frame.payload, frame.order);
        let reader = &mut reader;
        Ok(match frame.command {
            command::MONITOR | command::GET | command::PUT | command::RPC => {
                read_answer(frame.command, reader, cache)?
            }
            command::VALIDATION => read_validation(reader)?,
            command::VALIDATED => Self::Validated(Status::read(reader)?),
            command::ECHO => Self::Echo(frame.payload),
            command::SEARCH_REPLY => Self::SearchReply(SearchReply::read(*reader)?),
            command::CREATE_CHANNEL => {
                let (cid, sid) = (reader.u32()?, reader.u32()?);
                Self::Created { cid, sid, status: Status::read(reader)? }
            }
            command::DESTROY_CHANNEL => Self::Destroyed { sid: reader.u32()?, cid: reader.u32()? },
            command::GET_FIELD => {
                let (ioid, status) = (reader.u32()?, Status::read(reader)?);
                let kind = if status.is_ok() { Type::read(reader, cache)? } else { None };
                Self::Init { command: frame.command, ioid, status, kind }
            }
            other => Self::Other(other),
        })
    }

    /// Appends what [`FromServer::Init`] says where all is well: `told` is the type as
    /// [`Type::write`] has it in this order.
    pub fn write_init(out: &mut Vec<u8>, order: Order, (command, ioid): (u8, u32), told: &[u8]) {
        message(out, order, Sender::Server, command, |out| {
            put(out, order, ioid);
            if command != command::GET_FIELD {
                out.push(sub::INIT);
            }
            Status::OK.write(out, order);
            out.extend_from_slice(told);
        });
    }

    /// Appends the answer to a get or a put, of command, ioid and subcommand; `body` appends what
    /// was read.
    #[inline]
    pub fn write_done(
        out: &mut Vec<u8>,
        order: Order,
        (command, ioid, sub): (u8, u32, u8),
        status: Status<'_>,
        body: impl FnOnce(&mut Vec<u8>),
    ) {
        message(out, order, Sender::Server, command, |out| {
            put(out, order, ioid);
            out.push(sub);
            status.write(out, order);
            body(out);
        });
    }

    /// Appends the message.
    pub fn write(&self, out: &mut Vec<u8>, order: Order) {
        let say = |out: &mut Vec<u8>, command, body: &dyn Fn(&mut Vec<u8>)| {
            message(out, order, Sender::Server, command, |out| body(out));
        };
        match self {
            Self::Validation { buffer, methods } => say(out, command::VALIDATION, &|out| {
                put(out, order, *buffer);
                put(out, order, REGISTRY);
                write_size(out, order, methods.len());
                methods.iter().for_each(|method| write_text(out, order, method));
            }),
            Self::Validated(status) => {
                say(out, command::VALIDATED, &|out| status.write(out, order));
            }
            Self::Echo(bytes) => say(out, command::ECHO, &|out| out.extend_from_slice(bytes)),
            Self::SearchReply(reply) => say(out, command::SEARCH_REPLY, &|out| {
                let ids: Vec<u32> = reply.ids.iter().collect();
                SearchReply::write(out, order, (reply.guid, reply.sequence, reply.place), &ids);
            }),
            Self::Created { cid, sid, status } => say(out, command::CREATE_CHANNEL, &|out| {
                put(out, order, *cid);
                put(out, order, *sid);
                status.write(out, order);
            }),
            Self::Destroyed { sid, cid } => say(out, command::DESTROY_CHANNEL, &|out| {
                put(out, order, *sid);
                put(out, order, *cid);
            }),
            Self::Init { command, ioid, status, kind } => say(out, *command, &|out| {
                put(out, order, *ioid);
                if *command != command::GET_FIELD {
                    out.push(sub::INIT);
                }
                status.write(out, order);
                if let Some(kind) = kind {
                    kind.write(out, order);
                }
            }),
            Self::Data { command, ioid, sub, status, body } => say(out, *command, &|out| {
                put(out, order, *ioid);
                out.push(*sub);
                if has_status(*command, *sub) {
                    status.write(out, order);
                }
                out.extend_from_slice(body.rest());
            }),
            Self::Other(command) => say(out, *command, &|_| {}),
        }
    }
}

fn has_status(command: u8, sub: u8) -> bool {
    command != command::MONITOR || sub & sub::DESTROY != 0
}

fn read_answer<'a>(
    command: u8,
    reader: &mut Reader<'a>,
    cache: &mut TypeCache,
) -> Result<FromServer<'a>, Fault> {
    let (ioid, sub) = (reader.u32()?, reader.u8()?);
    if sub & sub::INIT != 0 {
        let status = Status::read(reader)?;
        let kind = if status.is_ok() { Type::read(reader, cache)? } else { None };
        return Ok(FromServer::Init { command, ioid, status, kind });
    }
    let status = if has_status(command, sub) { Status::read(reader)? } else { Status::OK };
    Ok(FromServer::Data { command, ioid, sub, status, body: *reader })
}

fn read_validation<'a>(reader: &mut Reader<'a>) -> Result<FromServer<'a>, Fault> {
    let buffer = reader.u32()?;
    reader.u16()?;
    let count = reader.size()?;
    if count > reader.rest().len() {
        return Err(Fault::Short);
    }
    let methods = (0..count).map(|_| reader.text()).collect::<Result<_, _>>()?;
    Ok(FromServer::Validation { buffer, methods })
}
