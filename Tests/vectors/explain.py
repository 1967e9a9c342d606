"""Explains the datagrams of a conversation byte by byte, and makes them again from the explanation.

Uses the independent implementation alone, and of a conversation only its secrets: PSK, static keys, ephemeral keys.
A field is [offset, length, name, octets in hexadecimal, value or null, meaning]; numbers and texts have a value.
"""
from independent.handshake import GATEWAY_HELLO, NO_PSK, connection, prologue_of, read_message, split
from independent.keys import Direction, Receiver
from independent.layouts import (CLIENT_HELLO, CLIENT_HELLO_LENGTH, COOKIE, COOKIE_BYTE, DATA, INIT, INIT_BYTE, POLICY, RESP, RESP_BYTE, Layout,
                                 read_content, values_of, write_frame)
from independent.primitives import TAG_LENGTH, public_key

CLIENT, GATEWAY = "client", "gateway"
_KEY_AND_TAG = 32 + TAG_LENGTH
MESSAGE_1 = {
    1: Layout(("e", "octets 32", "the client's ephemeral public key"),
              ("sealed hello", "rest", "192 bytes and the tag")),
    2: Layout(("e", "octets 32", "the client's ephemeral public key"),
              ("sealed s", f"octets {_KEY_AND_TAG}", "the client's static public key and the tag"),
              ("sealed hello", "rest", "192 bytes and the tag")),
}
MESSAGE_2 = Layout(("e", "octets 32", "the gateway's ephemeral public key"),
                   ("sealed hello", "rest", "the gateway hello and the tag"))
SEALED_DATA = Layout(*DATA.rows[:-1])


def listed(fields):
    """Fields as the vector file has them."""
    return [[field.offset, len(field.octets), field.name, field.octets.hex(),
             None if isinstance(field.value, bytes) else field.value, field.meaning] for field in fields]


def values_listed(fields):
    """What `Layout.write` takes, from fields as the vector file has them."""
    return {name: bytes.fromhex(octets) if value is None else value for _, _, name, octets, value, _ in fields}


class Explainer:
    """Reads one conversation's datagrams in their order."""

    def __init__(self, pattern, secrets):
        self.pattern = pattern
        self.secrets = {name: bytes.fromhex(octets) for name, octets in secrets.items() if name != "about"}
        self.directions = self.receivers = self.handshake_hash = None
        self.copies = {}

    # --- the handshake

    def noise(self, initiator, prologue):
        """A Noise connection of one end."""
        own, other = (CLIENT, GATEWAY) if initiator else (GATEWAY, CLIENT)
        statics = {}
        if self.pattern == 2:
            statics = {"static": self.secrets[own + " static"], "remote_static": public_key(self.secrets[other + " static"])}
        return connection(self.pattern, initiator, prologue, self.secrets.get("psk", NO_PSK), self.secrets[own + " ephemeral"], **statics)

    def explain_init(self, octets):
        """INIT, with its hello opened by the gateway's keys."""
        fields, _ = INIT.read(octets)
        values = values_of(fields)
        start = fields[-1].offset
        responder = self.noise(False, prologue_of(values))
        payload = read_message(responder, values["Noise message 1"])
        self.init_values, self.responder, self.hello_1 = values, responder, payload
        return {"kind": "INIT", "fields": listed(fields[:-1] + MESSAGE_1[self.pattern].read(octets, start)[0]),
                "prologue": prologue_of(values).hex(), "client_hello": listed(CLIENT_HELLO.read(payload)[0])}

    def explain_response(self, octets):
        """RESP, with its hello opened by the client's keys; from here on there are session keys."""
        fields, _ = RESP.read(octets)
        initiator = self.noise(True, prologue_of(self.init_values))
        initiator.write_message(self.hello_1)
        payload = read_message(initiator, fields[-1].octets)
        self.handshake_hash = initiator.get_handshake_hash()
        hello = GATEWAY_HELLO.read(payload)[0]
        values = values_of(hello)
        to_gateway, to_client = split(initiator)
        suite = values["suite"]
        self.directions = {CLIENT: Direction(suite, to_gateway, values["node tag"]), GATEWAY: Direction(suite, to_client)}
        self.receivers = {end: Receiver(direction) for end, direction in self.directions.items()}
        return {"kind": "RESP", "fields": listed(fields[:-1] + MESSAGE_2.read(octets, fields[-1].offset)[0]), "gateway_hello": listed(hello)}

    # --- DATA

    def explain_data(self, sender, octets):
        """DATA: mask, number, phase and frames, or the payload that is alone."""
        direction, receiver = self.directions[sender], self.receivers[sender]
        header, clear = direction.read_header(octets)
        number, phase, is_payload, opened = receiver.open(octets)
        index = next(i for i in range(16) if direction.connection_id(i) == header.connection_id)
        fields, end = SEALED_DATA.read(octets)
        what = "payload" if is_payload else "frames"
        sealed = Layout((f"sealed {what}", f"octets {len(octets) - end - TAG_LENGTH}", f"as long as the {what}"),
                        ("tag", f"octets {TAG_LENGTH}", "of the AEAD; the mask is made from it")).read(octets, end)[0]
        return {"kind": "DATA", "fields": listed(fields + sealed), "mask": direction.mask(octets).hex(),
                "unmasked_header": clear[:13].hex(), "index": index, "key_phase": phase, "packet_number": number,
                "additional_data": header.additional().hex(), "nonce": direction.phase(phase).nonce(number).hex(),
                "is_payload": is_payload, "frames_octets": opened.hex(),
                "frames": [self.explain_frame(frame) for frame in read_content(opened, is_payload)]}

    @staticmethod
    def explain_frame(frame):
        """One frame; the policy in a POLICY is taken apart too."""
        explained = {"frame": frame.name, "fields": listed(frame.fields)}
        if frame.name == "POLICY":
            explained["policy"] = listed(POLICY.read(frame["policy"])[0])
        return explained

    def explain(self, number, sender, octets):
        """The explanation of any datagram. A repeated one says of which it is a copy."""
        if octets in self.copies:
            return {"kind": "copy", "of": self.copies[octets]}
        self.copies[octets] = number
        if octets[0] == INIT_BYTE:
            return self.explain_init(octets)
        if octets[0] == RESP_BYTE:
            return self.explain_response(octets)
        if octets[0] == COOKIE_BYTE:
            return {"kind": "COOKIE", "fields": listed(COOKIE.read(octets)[0])}
        return self.explain_data(sender, octets)

    def keys(self):
        """Everything derived from the handshake, for the phases and indices that occurred."""
        derived = {"handshake_hash": self.handshake_hash.hex()}
        for end, direction in self.directions.items():
            phases = direction.phases[:self.receivers[end].phase + 1]
            derived[f"from_{end}"] = {
                "secrets": [phase.secret.hex() for phase in phases], "packet_keys": [phase.key.hex() for phase in phases],
                "packet_ivs": [phase.iv.hex() for phase in phases], "header_key": direction.header_key.hex(),
                "connection_ids": [direction.connection_id(i).hex() for i in range(4)]}
        return derived

    # --- the other way

    def write(self, sender, explained, by_number):
        """A datagram's bytes from its explanation's values, the secrets and nothing else."""
        kind = explained["kind"]
        if kind == "copy":
            return by_number[explained["of"]]
        if kind == "DATA":
            is_payload = explained["is_payload"]
            if is_payload:
                content = values_listed(explained["frames"][0]["fields"])["payload"]
            else:
                content = b"".join(self.write_frame(frame) for frame in explained["frames"])
            direction = self.directions[sender]
            connection_id = direction.connection_id(explained["index"])
            return direction.write(explained["packet_number"], explained["key_phase"], connection_id, content, is_payload)
        values = values_listed(explained["fields"])
        if kind == "COOKIE":
            return COOKIE.write(values)
        if kind == "INIT":
            hello = CLIENT_HELLO.write(values_listed(explained["client_hello"])).ljust(CLIENT_HELLO_LENGTH, b"\0")
            self.sent_init, self.sent_hello = values, hello
            message = bytes(self.noise(True, prologue_of(values)).write_message(hello))
            return INIT.write({**values, "Noise message 1": message})
        responder = self.noise(False, prologue_of(self.sent_init))
        initiator = self.noise(True, prologue_of(self.sent_init))
        read_message(responder, bytes(initiator.write_message(self.sent_hello)))
        message = bytes(responder.write_message(GATEWAY_HELLO.write(values_listed(explained["gateway_hello"]))))
        return RESP.write({**values, "Noise message 2": message})

    @staticmethod
    def write_frame(frame):
        """A frame's bytes from its values; a policy's from the policy's values."""
        values = values_listed(frame["fields"][1:])
        if "policy" in frame:
            values["policy"] = POLICY.write(values_listed(frame["policy"]))
        return write_frame(frame["frame"], **values)
