/// Sessions in a row, first come first served, by slot or by handle: those with something to transmit, and the TERMINATED ones. The row lies
/// in chunks, so that a longer one costs no copy; one empty chunk is kept for the next to come.
struct ReadyQueue: ~Copyable {
    private static let chunkSize = 127

    private struct Chunk {
        var next: UnsafeMutablePointer<Chunk>?
        var sessions: InlineArray<127, UInt64>
    }

    /// Entries are taken from the first chunk, at `head`, and put into the last, at `tail`.
    private var firstChunk: UnsafeMutablePointer<Chunk>
    private var lastChunk: UnsafeMutablePointer<Chunk>
    private var spare: UnsafeMutablePointer<Chunk>?
    private var head = 0
    private var tail = 0
    private(set) var count = 0

    init() {
        firstChunk = Self.makeChunk()
        lastChunk = firstChunk
    }

    deinit {
        spare?.deallocate()
        var chunk: UnsafeMutablePointer<Chunk>? = firstChunk
        while let gone = chunk {
            chunk = gone.pointee.next
            gone.deallocate()
        }
    }

    private static func makeChunk() -> UnsafeMutablePointer<Chunk> {
        let chunk = UnsafeMutablePointer<Chunk>.allocate(capacity: 1)
        chunk.initialize(to: Chunk(next: nil, sessions: InlineArray(repeating: 0)))
        return chunk
    }

    mutating func push(_ session: UInt64) {
        if tail == Self.chunkSize {
            let chunk = spare ?? Self.makeChunk()
            spare = nil
            chunk.pointee.next = nil
            lastChunk.pointee.next = chunk
            lastChunk = chunk
            tail = 0
        }
        lastChunk.pointee.sessions[tail] = session
        tail &+= 1
        count &+= 1
    }

    var first: UInt64? { count > 0 ? firstChunk.pointee.sessions[head] : nil }

    mutating func removeFirst() {
        guard count > 0 else { return }
        head &+= 1
        count &-= 1
        if count == 0 {
            head = 0   // the first chunk is the last one too: it is used anew from its beginning
            tail = 0
        } else if head == Self.chunkSize, let next = firstChunk.pointee.next {
            spare?.deallocate()
            spare = firstChunk
            firstChunk = next
            head = 0
        }
    }
}
