"""Protected delivery, from the wire document's section of that name: a simple sender and a complete receiver of one session.

The sender sends again what has had no acknowledgement for a while; it measures nothing and keeps a fixed number of datagrams in
flight. The receiver's host takes every payload at once. Neither knows of paths, keys or clocks: numbers of datagrams and times are
the caller's.
"""
from .layouts import Malformed, write_frame

BLOCK_LENGTH, CHANNELS, WINDOW = 16, 16, 4096
LONGEST_PAYLOAD = 1_048_576
#: What each payload counts for beside its bytes.
CHARGE = 64
CREDIT_BEFORE_MAX_DATA = 65_536
#: Further ranges of ACK_RANGES.
FURTHER_RANGES = 32
LONGEST_RANGE = 0xFFFF
#: Frames from which on an end acknowledges by ranges.
PROTECTED_FRAMES = {"PROTECTED", "FRAGMENT", "ABANDONED"}
#: Lengths of PROTECTED, FRAGMENT and ABANDONED without a payload's bytes.
WHOLE_HEADER, PART_HEADER, ABANDONED_LENGTH = 8, 14, 10
_IN_FLIGHT_AT_MOST = 32


def nearest(low, expected):
    """The number nearest to `expected` whose low 32 bits these are; below 0 there is none."""
    distance = (low - expected) & 0xFFFF_FFFF
    return expected + distance - (1 << 32 if distance >= 1 << 31 else 0)


def block_count(length):
    """Blocks of a payload; an empty one has one."""
    return max(1, -(-length // BLOCK_LENGTH))


# --- acknowledgements

def ranges_of(numbers, largest):
    """ACK_RANGES for the numbers up to `largest` that have arrived: the values of the frame, delay 0."""
    values, low, count = {"largest": largest & 0xFFFF_FFFF, "delay": 0}, largest, 0
    while low - 1 in numbers and largest - low + 1 < LONGEST_RANGE:
        low -= 1
    values["first range"] = largest - low + 1
    is_cut = low - 1 in numbers
    floor = min(numbers)
    while count < FURTHER_RANGES and not is_cut:
        high = low - 1
        while high >= floor and high not in numbers:
            high -= 1
        if high < floor or low - 1 - high > LONGEST_RANGE:
            break
        count += 1
        values[f"missing {count}"], low = low - 1 - high, high
        while low - 1 in numbers and high - low + 1 < LONGEST_RANGE:
            low -= 1
        is_cut = low - 1 in numbers
        values[f"arrived {count}"] = high - low + 1
    return {**values, "further ranges": count}


def numbers_of(frame, largest):
    """The packet numbers that an ACK_RANGES names; `largest` in full."""
    pairs = [(frame[f"missing {i}"], frame[f"arrived {i}"]) for i in range(1, frame["further ranges"] + 1)]
    low = largest - frame["first range"] + 1
    numbers = set(range(low, largest + 1))
    is_sound = frame["first range"] > 0
    for missing, arrived in pairs:
        high, is_sound = low - missing - 1, is_sound and missing > 0 and arrived > 0
        low = high - arrived + 1
        numbers.update(range(low, high + 1))
    if not is_sound or low < 0:
        raise Malformed("ranges that are empty or pass below 0")
    return numbers


# --- sending

class Outgoing:
    """A payload that is not acknowledged yet."""

    def __init__(self, channel, sequence, payload):
        self.channel, self.sequence, self.payload = channel, sequence, payload
        self.pending = set(range(block_count(len(payload))))     # blocks to be sent
        self.missing = set(self.pending)                         # blocks without an acknowledgement
        self.is_begun = self.is_abandoned = False

    @property
    def charge(self):
        """What it counts for."""
        return len(self.payload) + CHARGE

    def next_run(self, at_most):
        """First block and count of the next blocks in a row to be sent."""
        first, count = min(self.pending), 1
        while count < at_most and first + count in self.pending:
            count += 1
        return first, count


class Sender:
    """Payloads on their way to the peer."""

    def __init__(self):
        self.next_sequence = [0] * CHANNELS
        self.waiting = {}            # (channel, sequence) -> Outgoing, in the order of offering
        self.in_flight = {}          # packet number -> (when, what it carried)
        self.credit, self.begun = CREDIT_BEFORE_MAX_DATA, 0
        self.sent_again = 0          # datagrams

    def offer(self, payload, channel=0):
        """Takes a payload; gives its sequence number."""
        if len(payload) > LONGEST_PAYLOAD:
            raise ValueError("a payload is too long")
        sequence = self.next_sequence[channel]
        self.next_sequence[channel] += 1
        self.waiting[channel, sequence] = Outgoing(channel, sequence, payload)
        return sequence

    def give_up(self, channel, sequence):
        """A payload's time is over; one that was acknowledged stays so."""
        payload = self.waiting.get((channel, sequence))
        if payload is not None:
            payload.is_abandoned, payload.pending = True, {0}

    def _may_begin(self, payload):
        oldest = min(sequence for channel, sequence in self.waiting if channel == payload.channel)
        return payload.sequence - oldest < WINDOW and self.begun < self.credit

    def _next(self):
        for payload in self.waiting.values():
            if payload.pending and (payload.is_begun or payload.is_abandoned or self._may_begin(payload)):
                return payload
        return None

    def frames(self, room):
        """The next datagram's frames, at most `room` bytes, and what is in them, for `note`."""
        frames, carried = [], []
        while len(self.in_flight) < _IN_FLIGHT_AT_MOST and (payload := self._next()) is not None:
            found = self._frame(payload, room)
            if found is None:
                break
            frames.append(found[0])
            carried.append(found[1])
            room -= len(found[0])
        return frames, carried

    def _frame(self, payload, room):
        """One frame of a payload; None when there is no room."""
        place = {"channel": payload.channel, "sequence": payload.sequence & 0xFFFF_FFFF}
        if payload.is_abandoned:
            if room < ABANDONED_LENGTH:
                return None
            payload.pending = set()
            return write_frame("ABANDONED", **place, credit=payload.charge if payload.is_begun else 0), (payload, None)
        length = len(payload.payload)
        if len(payload.pending) == block_count(length) and WHOLE_HEADER + length <= room:
            blocks, frame = set(payload.pending), write_frame("PROTECTED", **place, payload=payload.payload)
        elif (room - PART_HEADER) // BLOCK_LENGTH < min(8, len(payload.pending)):
            return None
        else:
            first, count = payload.next_run((room - PART_HEADER) // BLOCK_LENGTH)
            blocks, start = set(range(first, first + count)), first * BLOCK_LENGTH
            frame = write_frame("FRAGMENT", **place, whole=length, first_block=first, part=payload.payload[start:start + count * BLOCK_LENGTH])
        if not payload.is_begun:
            payload.is_begun = True
            self.begun += payload.charge
        payload.pending -= blocks
        return frame, (payload, blocks)

    def note(self, number, carried, now):
        """The datagram with these things has left."""
        self.in_flight[number] = now, carried

    def acknowledge(self, numbers):
        """Datagrams that have arrived."""
        for number in numbers & self.in_flight.keys():
            for payload, blocks in self.in_flight.pop(number)[1]:
                if payload is None:
                    continue
                if payload.is_abandoned:
                    if blocks is None:
                        self.waiting.pop((payload.channel, payload.sequence), None)
                    continue
                payload.missing -= blocks
                payload.pending -= blocks
                if not payload.missing:
                    self.waiting.pop((payload.channel, payload.sequence), None)

    def send_again(self, before):
        """Everything that left before a moment and has no acknowledgement; tells whether MAX_DATA was among it."""
        is_credit_lost = False
        for number in [number for number, (when, _) in self.in_flight.items() if when < before]:
            self.sent_again += 1
            for payload, blocks in self.in_flight.pop(number)[1]:
                if payload is None:
                    is_credit_lost = True
                elif payload.is_abandoned:
                    payload.pending = {0}
                else:
                    payload.pending |= blocks & payload.missing
        return is_credit_lost


# --- receiving

class Incoming:
    """A payload of which something has come."""

    def __init__(self, length):
        self.octets, self.missing = bytearray(length), set(range(block_count(length)))


class Channel:
    """The payloads of one channel from the lowest one that is waited for."""

    def __init__(self):
        self.floor, self.done, self.parts = 0, set(), {}

    def recover(self, low):
        """The full number; Malformed when it lies too far above."""
        sequence = nearest(low, self.floor)
        if sequence < 0 or sequence - self.floor >= WINDOW:
            raise Malformed("a payload beyond the window")
        return sequence

    def is_done(self, sequence):
        """Handed out or given up."""
        return sequence < self.floor or sequence in self.done

    def finish(self, sequence):
        """It is not waited for any more."""
        self.done.add(sequence)
        self.parts.pop(sequence, None)
        while self.floor in self.done:
            self.done.remove(self.floor)
            self.floor += 1


class Receiver:
    """Payloads from the peer: each is handed out once, those of a channel but 0 in order."""

    def __init__(self, buffer_length=1 << 20):
        self.buffer_length = buffer_length
        self.channels = [Channel() for _ in range(CHANNELS)]
        self.released, self.announced = 0, CREDIT_BEFORE_MAX_DATA
        self.has_received = self.is_credit_due = False

    def take(self, frame):
        """A frame of PROTECTED_FRAMES; gives the payloads the host may have now: (channel, sequence, payload)."""
        if frame["channel"] >= CHANNELS:
            raise Malformed("no such channel")
        if not self.has_received:
            self.has_received = self.is_credit_due = True
        channel = self.channels[frame["channel"]]
        sequence = channel.recover(frame["sequence"])
        if channel.is_done(sequence):
            return []
        if frame.name == "ABANDONED":
            return self._abandon(frame, channel, sequence)
        if frame.name == "PROTECTED":
            length, first, part = len(frame["payload"]), 0, frame["payload"]
        else:
            length, first, part = frame["whole"], frame["first block"], frame["part"]
            end = first * BLOCK_LENGTH + len(part)
            if length > LONGEST_PAYLOAD or end > length or not part or end < length and len(part) % BLOCK_LENGTH:
                raise Malformed("a part that belongs nowhere")
        if sequence not in channel.parts:
            channel.parts[sequence] = Incoming(length)
        payload = channel.parts[sequence]
        if len(payload.octets) != length:
            raise Malformed("a payload of another length")
        start = first * BLOCK_LENGTH
        payload.octets[start:start + len(part)] = part
        payload.missing -= set(range(first, first + block_count(len(part))))
        return self._handed_out(frame["channel"], sequence)

    def _handed_out(self, number, sequence):
        """What is complete, and in its turn."""
        channel, out = self.channels[number], []
        turn = sequence if number == 0 else channel.floor
        while (payload := channel.parts.get(turn)) is not None and not payload.missing:
            out.append((number, turn, bytes(payload.octets)))
            channel.finish(turn)
            self._release(len(payload.octets) + CHARGE)
            turn = channel.floor if number else None
        return out

    def _abandon(self, frame, channel, sequence):
        payload = channel.parts.get(sequence)
        if payload is not None and not payload.missing:
            return []
        self._release(frame["credit"])
        channel.finish(sequence)
        return self._handed_out(frame["channel"], channel.floor) if frame["channel"] else []

    def _release(self, charge):
        self.released += charge
        if self.released + self.buffer_length >= self.announced + self.buffer_length // 4:
            self.is_credit_due = True

    def credit(self):
        """The limit to announce now."""
        self.is_credit_due, self.announced = False, max(self.announced, self.released + self.buffer_length)
        return self.announced
