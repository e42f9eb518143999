import Foundation

/// The values of a JSON text in the order in which they stand in it, found in one pass. The text has passed `JSONText.check`, so nothing in it can be wrong.
struct JSONNodes {
    enum Kind: UInt8 { case object, list, string, number, `true`, `false`, null }

    struct Node {
        var kind: Kind
        /// The number of the key in front of it, for members of objects.
        var key: Int32
        /// Where it is written; strings are without their quotes. Of an object or list, only the beginning is known.
        var start: Int32
        var end: Int32
        /// The place in `all` behind it and everything in it.
        var next: Int32
        /// The place of the object or list that it stands in.
        var parent: Int32

        var bytes: Range<Int> { Int(start)..<Int(end) }
    }

    private(set) var all: [Node] = []
    /// Where each key is written first, by its number.
    private(set) var keys: [Range<Int>] = []
    /// The text, which has to stay where it is as long as this is used.
    private let text: UnsafeBufferPointer<UInt8>

    /// - Parameter text: at most 2 GiB.
    init(_ text: UnsafeBufferPointer<UInt8>) {
        self.text = text
        // Objects of a reply have about one value in this many bytes.
        all.reserveCapacity(text.count / 12)
        var nodes: [Node] = [], keys = KeyNumbers()
        swap(&nodes, &all)
        Self.read(text, &nodes, &keys)
        all = nodes
        self.keys = keys.places
    }

    private static func read(_ text: UnsafeBufferPointer<UInt8>, _ nodes: inout [Node], _ keys: inout KeyNumbers) {
        var open: [Int32] = [], parent: Int32 = -1, place = 0, key: Int32 = -1
        while place < text.count {
            let start = place
            var kind: Kind
            switch text[place] {
            case UInt8(ascii: "{"): kind = .object
            case UInt8(ascii: "["): kind = .list
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                nodes[Int(parent)].next = Int32(nodes.count)
                parent = open.removeLast()
                place += 1
                continue
            case UInt8(ascii: "\""):
                kind = .string
                place = endOfString(text, start + 1)
                // A string in front of a colon is a key.
                var behind = place + 1
                while behind < text.count, text[behind] <= 0x20 { behind += 1 }
                if behind < text.count, text[behind] == UInt8(ascii: ":") {
                    key = keys.number(of: start + 1..<place, in: text)
                    place = behind + 1
                    continue
                }
            case UInt8(ascii: "t"): kind = .true
            case UInt8(ascii: "f"): kind = .false
            case UInt8(ascii: "n"): kind = .null
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): kind = .number
            default:
                place += 1
                continue
            }
            let begins = kind == .string ? start + 1 : start
            if kind == .number || kind.rawValue > Kind.number.rawValue {
                while place < text.count, isPartOfWord(text[place]) { place += 1 }
            }
            nodes.append(Node(kind: kind, key: key, start: Int32(begins), end: Int32(place), next: Int32(nodes.count + 1), parent: parent))
            key = -1
            switch kind {
            case .object, .list:
                open.append(parent)
                parent = Int32(nodes.count - 1)
                place += 1
            case .string: place += 1
            case .number, .true, .false, .null: break
            }
        }
    }

    /// Whether a byte belongs to a number or to one of the words `true`, `false` and `null`.
    private static func isPartOfWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "E"), UInt8(ascii: "+"), UInt8(ascii: "-"),
            UInt8(ascii: "."):
            true
        default: false
        }
    }

    /// The place of the quote that ends a string.
    private static func endOfString(_ text: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int {
        var place = start
        while place < text.count, text[place] != UInt8(ascii: "\"") { place += text[place] == UInt8(ascii: "\\") ? 2 : 1 }
        return place
    }

    // MARK: Scalars

    /// What is written there, with escapes resolved.
    func text(of bytes: Range<Int>) -> String {
        guard !bytes.isEmpty else { return "" }
        let part = UnsafeBufferPointer(rebasing: text[bytes])
        guard memchr(part.baseAddress!, 0x5c, part.count) != nil else { return String(decoding: part, as: UTF8.self) }
        var units: [UInt16] = [], rest = String(decoding: part, as: UTF8.self).utf16[...]
        while let unit = rest.popFirst() {
            guard unit == 0x5c, let letter = rest.popFirst() else {
                units.append(unit)
                continue
            }
            switch UInt8(truncatingIfNeeded: letter) {
            case UInt8(ascii: "b"): units.append(0x08)
            case UInt8(ascii: "f"): units.append(0x0c)
            case UInt8(ascii: "n"): units.append(0x0a)
            case UInt8(ascii: "r"): units.append(0x0d)
            case UInt8(ascii: "t"): units.append(0x09)
            case UInt8(ascii: "u"):
                units.append(UInt16(String(decoding: rest.prefix(4), as: UTF16.self), radix: 16) ?? 0xfffd)
                rest = rest.dropFirst(4)
            default: units.append(letter)
            }
        }
        return String(decoding: units, as: UTF16.self)
    }

    /// The whole number that is written there; nil: it is none, or does not fit.
    func integer<Number: FixedWidthInteger>(of bytes: Range<Int>) -> Number? {
        let isNegative = text[bytes.lowerBound] == UInt8(ascii: "-")
        var number: Number = 0
        for place in bytes.dropFirst(isNegative ? 1 : 0) {
            guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= text[place] else { return nil }
            let digit = Number(text[place] - UInt8(ascii: "0"))
            let (tenfold, isTooLarge) = number.multipliedReportingOverflow(by: 10)
            let (sum, overflows) = isNegative ? tenfold.subtractingReportingOverflow(digit) : tenfold.addingReportingOverflow(digit)
            if isTooLarge || overflows { return nil }
            number = sum
        }
        return number
    }
}

/// Gives each key that occurs a number, the same wherever it is written alike.
private struct KeyNumbers {
    private(set) var places: [Range<Int>] = []
    /// Numbers by the hash of the key, with open addressing; -1: free. A power of two, at most half full.
    private var table = [Int32](repeating: -1, count: 256)

    mutating func number(of key: Range<Int>, in text: UnsafeBufferPointer<UInt8>) -> Int32 {
        var slot = Self.hash(key, text) & (table.count - 1)
        while table[slot] >= 0 {
            let other = places[Int(table[slot])]
            if other.count == key.count, memcmp(text.baseAddress! + other.lowerBound, text.baseAddress! + key.lowerBound, key.count) == 0 { return table[slot] }
            slot = (slot + 1) & (table.count - 1)
        }
        table[slot] = Int32(places.count)
        places.append(key)
        let number = table[slot]
        if places.count * 2 > table.count { grow(text) }
        return number
    }

    private mutating func grow(_ text: UnsafeBufferPointer<UInt8>) {
        table = [Int32](repeating: -1, count: table.count * 2)
        for (number, key) in places.enumerated() {
            var slot = Self.hash(key, text) & (table.count - 1)
            while table[slot] >= 0 { slot = (slot + 1) & (table.count - 1) }
            table[slot] = Int32(number)
        }
    }

    /// FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/).
    private static func hash(_ key: Range<Int>, _ text: UnsafeBufferPointer<UInt8>) -> Int {
        var hash: UInt32 = 0x811c_9dc5
        for place in key { hash = (hash ^ UInt32(text[place])) &* 0x0100_0193 }
        return Int(hash ^ hash >> 15)
    }
}
