"""libjumping's protocol, version 1, written from WireProtocol.md alone: both roles, without a line of the library.

Noise comes from PyPI's `noiseprotocol`, AEAD and X25519 from `cryptography`, BLAKE2b from the standard library, SipHash from its paper.

* `primitives` – cryptography under the document's names
* `layouts`    – the fields of every datagram, hello, policy and frame, read and written
* `keys`       – key phases, connection ids, packet numbers, the header mask
* `handshake`  – both Noise patterns, hello and policy
* `delivery`   – protected payloads: a simple sender, a complete receiver
* `peer`       – a client and a gateway without sockets or clock
"""
