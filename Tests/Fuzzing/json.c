#include "json.h"

#include <stdint.h>
#include <string.h>

enum { DEPTH_MAX = 8, NAMES_MAX = 128 };

struct text {
    const uint8_t *at, *end;
};

static bool take(struct text *text, char c)
{
    if (text->at == text->end || *text->at != (uint8_t)c) return false;
    text->at++;
    return true;
}

/* White space between tokens; line ends would make it more than one line. */
static void skip_spaces(struct text *text)
{
    while (text->at < text->end && *text->at == ' ') text->at++;
}

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Steps over one UTF-8 sequence above ASCII: no overlong form, no surrogate, nothing above U+10FFFF. */
static bool read_utf8(struct text *text)
{
    uint8_t first = *text->at;
    size_t follow = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
    if (first < 0xC2 || first > 0xF4 || (size_t)(text->end - text->at) <= follow) return false;
    uint32_t value = first & (0x3Fu >> follow);
    for (size_t i = 1; i <= follow; i++) {
        if ((text->at[i] & 0xC0) != 0x80) return false;
        value = value << 6 | (text->at[i] & 0x3F);
    }
    text->at += follow + 1;
    if (follow == 2) return value >= 0x800 && (value < 0xD800 || value > 0xDFFF);
    return follow != 3 || (value >= 0x10000 && value <= 0x10FFFF);
}

static bool read_escape(struct text *text)
{
    if (text->at == text->end) return false;
    uint8_t c = *text->at++;
    if (c != 'u') return strchr("\"\\/bfnrt", c) && c;
    for (int i = 0; i < 4; i++, text->at++)
        if (text->at == text->end || !is_hex(*text->at)) return false;
    return true;
}

static bool read_string(struct text *text)
{
    if (!take(text, '"')) return false;
    while (text->at < text->end) {
        if (*text->at == '"') return take(text, '"');
        if (*text->at < 0x20) return false;
        if (*text->at == '\\') {
            text->at++;
            if (!read_escape(text)) return false;
        } else if (*text->at < 0x80) {
            text->at++;
        } else if (!read_utf8(text)) {
            return false;
        }
    }
    return false;
}

static size_t read_digits(struct text *text)
{
    size_t count = 0;
    while (text->at < text->end && *text->at >= '0' && *text->at <= '9') text->at++, count++;
    return count;
}

static bool read_number(struct text *text)
{
    take(text, '-');
    if (!take(text, '0') && !read_digits(text)) return false;
    if (take(text, '.') && !read_digits(text)) return false;
    if (take(text, 'e') || take(text, 'E')) {
        if (!take(text, '+')) take(text, '-');
        if (!read_digits(text)) return false;
    }
    return true;
}

static bool read_word(struct text *text, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(text->end - text->at) < length || memcmp(text->at, word, length)) return false;
    text->at += length;
    return true;
}

static bool read_value(struct text *text, int depth);

/* A token between two members or elements. */
static bool take_token(struct text *text, char c)
{
    skip_spaces(text);
    if (!take(text, c)) return false;
    skip_spaces(text);
    return true;
}

static bool read_members(struct text *text, int depth)
{
    struct text names[NAMES_MAX];
    size_t count = 0;
    if (take_token(text, '}')) return true;
    do {
        struct text name = *text;
        if (count == NAMES_MAX || !read_string(text)) return false;
        name.end = text->at;
        for (size_t i = 0; i < count; i++)
            if (names[i].end - names[i].at == name.end - name.at && !memcmp(names[i].at, name.at, (size_t)(name.end - name.at))) return false;
        names[count++] = name;
        if (!take_token(text, ':') || !read_value(text, depth)) return false;
    } while (take_token(text, ','));
    return take(text, '}');
}

static bool read_elements(struct text *text, int depth)
{
    if (take_token(text, ']')) return true;
    do {
        if (!read_value(text, depth)) return false;
    } while (take_token(text, ','));
    return take(text, ']');
}

static bool read_value(struct text *text, int depth)
{
    if (depth == DEPTH_MAX || text->at == text->end) return false;
    switch (*text->at) {
    case '{': text->at++; return read_members(text, depth + 1);
    case '[': text->at++; return read_elements(text, depth + 1);
    case '"': return read_string(text);
    case 't': return read_word(text, "true");
    case 'f': return read_word(text, "false");
    case 'n': return read_word(text, "null");
    default: return read_number(text);
    }
}

bool json_is_object(const char *bytes, size_t length)
{
    struct text text = { (const uint8_t *)bytes, (const uint8_t *)bytes + length };
    return length && *text.at == '{' && read_value(&text, 0) && text.at == text.end;
}
