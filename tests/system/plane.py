# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""The control plane of a daemon, for clients that know only what reflection tells them."""
import pathlib

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import harness
from harness import expect


class Client:
    """What reflection says of the services behind a control socket, and calls to them."""

    def __init__(self, path):
        self.path = path
        self.pool = descriptor_pool.DescriptorPool()
        self.methods = {}

    def channel(self, *options):
        return grpc.insecure_channel(f"unix:{self.path}", options=options)

    def learn(self):
        """What reflection says, and nothing else."""
        with self.channel() as channel:
            for version in ("v1", "v1alpha"):
                self.learn_by(channel, version)

    def learn_by(self, channel, version):
        name = f"grpc.reflection.{version}.ServerReflection"
        # The messages of reflection are known to whoever speaks it; here by hand: field 7 asks for
        # services, field 4 for the file of a symbol, and field 3 of the request is a file's name.
        converse = channel.stream_stream(f"/{name}/ServerReflectionInfo")

        def ask(question):
            return next(converse(iter([question]), timeout=harness.PATIENCE_S))

        services = sorted(set(strings_of(ask(b"\x3a\x00"), 6, 1)))
        expect("saddle.v1.System" in services and "grpc.health.v1.Health" in services,
               f"services: {services}")
        for service in services:
            question = b"\x22" + bytes([len(service)]) + service.encode()
            for data in strings_of(ask(question), 4, 1, text=False):
                self.add_file(descriptor_pb2.FileDescriptorProto.FromString(data))

    def add_file(self, file):
        try:
            self.pool.FindFileByName(file.name)
            return
        except KeyError:
            self.pool.Add(file)
        for service in file.service:
            for method in service.method:
                self.methods[f"{file.package}.{service.name}/{method.name}"] = method

    def describe(self, name):
        return self.pool.FindMessageTypeByName(name.lstrip("."))

    def message(self, name):
        return message_factory.MessageFactory(self.pool).GetPrototype(self.describe(name))

    def call(self, channel, method, stream=False, timeout=harness.PATIENCE_S, **fields):
        described = self.methods[method]
        kind = channel.unary_stream if stream else channel.unary_unary
        request = self.message(described.input_type)(**fields)
        return kind(f"/{method}", request_serializer=lambda one: one.SerializeToString(),
                    response_deserializer=self.message(described.output_type).FromString)(
                        request, timeout=timeout)

    def watch(self, channel, method, **fields):
        """A stream that may go on for as long as it likes."""
        return self.call(channel, method, stream=True, timeout=None, **fields)

    def send(self, channel, method, data):
        """The first answer to bytes, of whatever kind the method is; None if it has none. What is
        left of a stream is cancelled."""
        described = self.methods[method]
        name = f"/{method}"
        if described.client_streaming:
            answers = channel.stream_stream(name)(iter([data]), timeout=harness.PATIENCE_S)
        elif described.server_streaming:
            answers = channel.unary_stream(name)(data, timeout=harness.PATIENCE_S)
        else:
            return channel.unary_unary(name)(data, timeout=harness.PATIENCE_S)
        try:
            return next(answers, None)
        finally:
            answers.cancel()


class Plane(Client):
    """A daemon with a control socket, two applications that exchange, and what clients need."""

    def __init__(self, folder, daemon, honest):
        super().__init__(folder.socket.parent / "control.sock")
        self.folder, self.daemon, self.honest = folder, daemon, honest

    def child(self):
        """The process number of saddle-control; None between an end and the next start."""
        children = pathlib.Path(f"/proc/{self.daemon.process.pid}/task/"
                                f"{self.daemon.process.pid}/children").read_text().split()
        return int(children[0]) if children else None


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields_of(data):
    """(number, bytes) of each field with a length; the others are skipped."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        length, at = varint(data, at)
        if tag & 7 == 2:
            yield tag >> 3, data[at:at + length]
            at += length


def strings_of(data, *path, text=True):
    """What stands at the end of a path of field numbers; services are named one deeper."""
    for number, inner in fields_of(data):
        if number != path[0]:
            continue
        if len(path) > 1:
            yield from strings_of(inner, *path[1:], text=text)
        elif text:
            yield from (name.decode() for _, name in fields_of(inner))
        else:
            yield inner


def code_of(call):
    """The status that a call ends with."""
    try:
        call()
        return grpc.StatusCode.OK
    except grpc.RpcError as error:
        return error.code()
