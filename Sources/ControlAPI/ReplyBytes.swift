import Foundation

/// Bytes that grow at their end. A reply is put together of many small pieces, for which an array's checks take longer than the copying.
struct ReplyBytes {
    private(set) var bytes = UnsafeMutablePointer<UInt8>.allocateText(256)
    private(set) var count = 0
    private var capacity = 256

    /// Makes room for so many bytes more.
    mutating func reserve(_ more: Int) {
        guard count + more > capacity else { return }
        capacity = max(capacity * 2, count + more)
        guard let moved = realloc(bytes, capacity) else { fatalError("there is no memory for a reply of \(capacity) bytes") }
        bytes = moved.assumingMemoryBound(to: UInt8.self)
    }

    mutating func append(_ byte: UInt8) {
        reserve(1)
        bytes[count] = byte
        count += 1
    }

    mutating func append(_ source: UnsafePointer<UInt8>, _ length: Int) {
        reserve(length)
        memcpy(bytes + count, source, length)
        count += length
    }

    mutating func append(_ word: StaticString) { append(word.utf8Start, word.utf8CodeUnitCount) }

    mutating func append(_ word: String) {
        var word = word
        word.withUTF8 { if let start = $0.baseAddress { append(start, $0.count) } }
    }

    /// Forgets what is behind the first bytes.
    mutating func cut(to count: Int) { self.count = count }

    /// A decimal number.
    mutating func append(number magnitude: UInt64, isNegative: Bool) {
        reserve(20)
        if isNegative { append(UInt8(ascii: "-")) }
        var digits = 1, bound: UInt64 = 10
        while digits < 20, magnitude >= bound {
            digits += 1
            bound = digits < 20 ? bound &* 10 : .max
        }
        reserve(digits)
        var rest = magnitude, place = count + digits
        repeat {
            place -= 1
            bytes[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while place > count
        count += digits
    }

    /// A string as JSON writes it, with quotes.
    mutating func append(quoted text: String) {
        var text = text
        text.withUTF8 { append(quoted: $0) }
    }

    private mutating func append(quoted text: UnsafeBufferPointer<UInt8>) {
        reserve(text.count + 2)
        append(UInt8(ascii: "\""))
        var written = 0
        for place in text.indices where text[place] < 0x20 || text[place] == UInt8(ascii: "\"") || text[place] == UInt8(ascii: "\\") {
            append(text.baseAddress! + written, place - written)
            append(escape: text[place])
            written = place + 1
        }
        if written < text.count { append(text.baseAddress! + written, text.count - written) }
        append(UInt8(ascii: "\""))
    }

    private mutating func append(escape byte: UInt8) {
        switch byte {
        case 0x08: append("\\b")
        case 0x09: append("\\t")
        case 0x0a: append("\\n")
        case 0x0c: append("\\f")
        case 0x0d: append("\\r")
        case 0..<0x20: append(("\\u00" + (byte < 16 ? "0" : "") + String(byte, radix: 16)) as String)
        default:
            append(UInt8(ascii: "\\"))
            append(byte)
        }
    }

    /// The bytes, without copying them. The text is used up.
    consuming func finished() -> Data { Data(bytesNoCopy: bytes, count: count, deallocator: .free) }

    /// Gives the memory back. The text is used up.
    consuming func free() { Foundation.free(bytes) }
}

extension UnsafeMutablePointer<UInt8> {
    /// Memory that `realloc` may move.
    fileprivate static func allocateText(_ capacity: Int) -> Self {
        guard let memory = malloc(capacity) else { fatalError("there is no memory for a reply") }
        return memory.assumingMemoryBound(to: UInt8.self)
    }
}
