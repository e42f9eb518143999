/// How many bytes of frames that must not be lost may wait for one receiver (dcb-buffer(8)). Each priority has one of eight buffers.
public struct BufferSettings: Equatable, Sendable {
    /// The buffer of each priority. Priorities without an item have the buffer of their own number.
    public var buffers: [Int] = []
    /// The size of each buffer in bytes, headroom included; 0, or none: it follows from the link's speed.
    public var sizes: [Int] = []

    public init() {}

    /// The size of a priority's buffer; nil: it follows from the link's speed.
    public func size(of priority: Int) -> Int? {
        let buffer = priority < buffers.count ? buffers[priority] : priority
        return buffer < sizes.count && sizes[buffer] != 0 ? sizes[buffer] : nil
    }

    static var kind: MapKind<BufferSettings, BufferSettings> {
        let size = ValueKind<Int>.bytes(0...1 << 30), number = ValueKind<Int>.integer(0...7)
        return MapKind(
            noun: "buffer", empty: BufferSettings(),
            fields: [
                .list("prio-buffer", \.buffers, of: number, example: "[0, 0, 0, 1]", help: "buffer of each priority; by default that of its own number")
                    .byNumber(get: { object in (0..<8).map { $0 < object.buffers.count ? object.buffers[$0] : $0 } }, number) { $0.buffers = $1 },
                .list("buffer-size", \.sizes, of: size, example: "[0kib, 512kib]", help: "size of each buffer, headroom included; 0 or by default as the link's speed demands")
                    .byNumber(\.sizes, size, rest: 0),
            ],
            value: { $0.buffers.count <= 8 && $0.sizes.count <= 8 ? $0 : nil }, draft: { $0 },
            missing: "there are eight priorities and eight buffers: write prio-buffer 3:1 buffer-size 1:512kib"
                + " or, in a file, prio-buffer: [0, 0, 0, 1] and buffer-size: [0kib, 512kib]")
    }
}
