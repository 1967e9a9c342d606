/* IPv4, UDP and TCP headers: what the emulator reads and rewrites of them. */
#include "link.h"

#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17

static uint16_t read16(const uint8_t *bytes) {
    return (uint16_t)((bytes[0] << 8) | bytes[1]);
}

static uint32_t read32(const uint8_t *bytes) {
    return ((uint32_t)read16(bytes) << 16) | read16(bytes + 2);
}

static void write16(uint8_t *bytes, uint16_t value) {
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

int packet_parse(uint8_t *bytes, size_t length, struct packet_fields *fields) {
    if (length < 28 || bytes[0] >> 4 != 4) return -1;
    fields->is_udp = bytes[9] == PROTOCOL_UDP;
    if (!fields->is_udp && bytes[9] != PROTOCOL_TCP) return -1;
    size_t header_length = (size_t)(bytes[0] & 15) * 4;
    if (header_length < 20 || length < header_length + (fields->is_udp ? 8 : 20)) return -1;
    if (read16(bytes + 6) & 0x3fff) return -1; /* a fragment has no ports of its own */
    fields->ip = bytes;
    fields->ports = bytes + header_length;
    fields->checksum = fields->ports + (fields->is_udp ? 6 : 16);
    fields->source_address = read32(bytes + 12);
    fields->destination_address = read32(bytes + 16);
    fields->source_port = read16(fields->ports);
    fields->destination_port = read16(fields->ports + 2);
    return 0;
}

/* RFC 1624 §3, equation 3: HC' = ~(~HC + ~m + m'). */
static uint16_t checksum_update(uint16_t checksum, uint16_t before, uint16_t after) {
    uint32_t sum = (uint16_t)~checksum + (uint32_t)(uint16_t)~before + after;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* Replaces a 16-bit word. Addresses count in the checksums of both headers (UDP
 * and TCP have them in their pseudo header), ports in the second alone. A UDP
 * checksum of 0 means "none" and stays (RFC 768); one that comes out as 0 is
 * sent as 0xffff. */
static void replace_word(struct packet_fields *fields, uint8_t *word, uint16_t after, int is_address) {
    uint16_t before = read16(word);
    write16(word, after);
    if (is_address) write16(fields->ip + 10, checksum_update(read16(fields->ip + 10), before, after));
    uint16_t checksum = read16(fields->checksum);
    if (checksum == 0 && fields->is_udp) return;
    checksum = checksum_update(checksum, before, after);
    write16(fields->checksum, checksum == 0 && fields->is_udp ? 0xffff : checksum);
}

static void replace_end(struct packet_fields *fields, uint8_t *address_bytes, uint8_t *port_bytes, uint32_t address,
                        uint16_t port) {
    replace_word(fields, address_bytes, (uint16_t)(address >> 16), 1);
    replace_word(fields, address_bytes + 2, (uint16_t)address, 1);
    replace_word(fields, port_bytes, port, 0);
}

void packet_set_source(struct packet_fields *fields, uint32_t address, uint16_t port) {
    replace_end(fields, fields->ip + 12, fields->ports, address, port);
    fields->source_address = address;
    fields->source_port = port;
}

void packet_set_destination(struct packet_fields *fields, uint32_t address, uint16_t port) {
    replace_end(fields, fields->ip + 16, fields->ports + 2, address, port);
    fields->destination_address = address;
    fields->destination_port = port;
}
