/* IPv4 and UDP headers: what the emulator reads and rewrites of them. */
#include "link.h"

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

int packet_parse(uint8_t *bytes, size_t length, struct udp_packet *packet) {
    if (length < 28 || bytes[0] >> 4 != 4 || bytes[9] != PROTOCOL_UDP) return -1;
    size_t header_length = (size_t)(bytes[0] & 15) * 4;
    if (header_length < 20 || length < header_length + 8) return -1;
    if (read16(bytes + 6) & 0x3fff) return -1; /* a fragment has no ports of its own */
    packet->ip = bytes;
    packet->udp = bytes + header_length;
    packet->source_address = read32(bytes + 12);
    packet->destination_address = read32(bytes + 16);
    packet->source_port = read16(packet->udp);
    packet->destination_port = read16(packet->udp + 2);
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
 * has them in its pseudo header), ports in UDP's alone. A UDP checksum of 0
 * means "none" and stays (RFC 768); one that comes out as 0 is sent as 0xffff. */
static void replace_word(struct udp_packet *packet, uint8_t *word, uint16_t after, int is_address) {
    uint16_t before = read16(word);
    write16(word, after);
    if (is_address) write16(packet->ip + 10, checksum_update(read16(packet->ip + 10), before, after));
    uint16_t checksum = read16(packet->udp + 6);
    if (checksum == 0) return;
    checksum = checksum_update(checksum, before, after);
    write16(packet->udp + 6, checksum == 0 ? 0xffff : checksum);
}

static void replace_end(struct udp_packet *packet, uint8_t *address_bytes, uint8_t *port_bytes, uint32_t address,
                        uint16_t port) {
    replace_word(packet, address_bytes, (uint16_t)(address >> 16), 1);
    replace_word(packet, address_bytes + 2, (uint16_t)address, 1);
    replace_word(packet, port_bytes, port, 0);
}

void packet_set_source(struct udp_packet *packet, uint32_t address, uint16_t port) {
    replace_end(packet, packet->ip + 12, packet->udp, address, port);
    packet->source_address = address;
    packet->source_port = port;
}

void packet_set_destination(struct udp_packet *packet, uint32_t address, uint16_t port) {
    replace_end(packet, packet->ip + 16, packet->udp + 2, address, port);
    packet->destination_address = address;
    packet->destination_port = port;
}
