import Foundation

/// Checks that a text is JSON (RFC 8259) before any parser sees it.
///
/// What comes over a socket or from a disk may be anything, and Foundation's parser ends the process when it describes the place of certain errors. A text that
/// passes this check is valid JSON and no deeper than `depth`, so the parser has nothing left to fail on.
public enum JSONText {
    /// The most lists and objects within one another. What Sluice reads and writes has eight at most.
    public static let depth = 64

    /// Why a text is not JSON: the end of a sentence, with the place as a byte number counted from 1.
    public struct Flaw: Error, Equatable, Sendable, CustomStringConvertible {
        public let description: String
    }

    /// Checks the whole text.
    /// - Throws: the first flaw that is found in it.
    public static func check(_ text: Data) throws(Flaw) {
        let flaw: Flaw? = text.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in
            var scanner = JSONScanner(bytes)
            do throws(Flaw) {
                try scanner.scan()
                return nil
            } catch {
                return error
            }
        }
        if let flaw { throw flaw }
        // Outside strings, everything has been found to be ASCII by now, and mostly within them as well.
        if text.withUnsafeBytes({ (bytes: UnsafeRawBufferPointer) in bytes.allSatisfy { $0 < 0x80 } }) { return }
        guard String(validating: text, as: UTF8.self) != nil else { throw Flaw(description: "it is not UTF-8") }
    }
}

/// Checks the bytes in one pass, without recursion.
private struct JSONScanner {
    private let bytes: UnsafeRawBufferPointer
    private var place = 0
    /// Whether each list or object that is still open is an object.
    private var open: [Bool] = []

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func scan() throws(JSONText.Flaw) {
        repeat { try value() } while try !isComplete()
        if place < bytes.count { throw unexpected("something stands behind its end") }
    }

    // MARK: Values

    /// Reads a scalar, or everything up to the first scalar in a list or object.
    private mutating func value() throws(JSONText.Flaw) {
        while true {
            skipSpace()
            guard place < bytes.count else { throw JSONText.Flaw(description: "it ends too early") }
            switch bytes[place] {
            case UInt8(ascii: "["):
                try enter(isObject: false)
                if take(UInt8(ascii: "]")) { open.removeLast(); return }
            case UInt8(ascii: "{"):
                try enter(isObject: true)
                if take(UInt8(ascii: "}")) { open.removeLast(); return }
                try key()
            case UInt8(ascii: "\""): return try string()
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
            case UInt8(ascii: "t"): return try word("true")
            case UInt8(ascii: "f"): return try word("false")
            case UInt8(ascii: "n"): return try word("null")
            default: throw unexpected("a value is missing")
            }
        }
    }

    /// Called behind a value: goes on to the next value, or closes the lists and objects that end here.
    /// - Returns: true if the outermost value is complete.
    private mutating func isComplete() throws(JSONText.Flaw) -> Bool {
        while let isObject = open.last {
            if take(UInt8(ascii: ",")) {
                if isObject { try key() }
                return false
            }
            guard take(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
                if place == bytes.count { throw JSONText.Flaw(description: "it ends too early") }
                throw unexpected(isObject ? "',' or '}' is missing" : "',' or ']' is missing")
            }
            open.removeLast()
        }
        skipSpace()
        return true
    }

    private mutating func enter(isObject: Bool) throws(JSONText.Flaw) {
        guard open.count < JSONText.depth else {
            throw JSONText.Flaw(description: "lists and objects are more than \(JSONText.depth) deep at byte \(place + 1)")
        }
        open.append(isObject)
        place += 1
    }

    private mutating func key() throws(JSONText.Flaw) {
        skipSpace()
        guard place < bytes.count else { throw JSONText.Flaw(description: "it ends too early") }
        guard bytes[place] == UInt8(ascii: "\"") else { throw unexpected("a key in double quotes is missing") }
        try string()
        guard take(UInt8(ascii: ":")) else { throw unexpected("':' is missing") }
    }

    // MARK: Scalars

    private mutating func string() throws(JSONText.Flaw) {
        let beginning = place
        place += 1
        while place < bytes.count {
            switch bytes[place] {
            case UInt8(ascii: "\""):
                place += 1
                return
            case UInt8(ascii: "\\"): try escape()
            case 0..<0x20: throw unexpected("a control character must be written as \\u")
            default: place += 1
            }
        }
        throw JSONText.Flaw(description: "the string that begins at byte \(beginning + 1) has no end")
    }

    private mutating func escape() throws(JSONText.Flaw) {
        place += 1
        guard place < bytes.count else { throw JSONText.Flaw(description: "it ends too early") }
        switch bytes[place] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"),
            UInt8(ascii: "r"), UInt8(ascii: "t"):
            place += 1
        case UInt8(ascii: "u"):
            let unit = try codeUnit()
            switch unit {
            case 0xd800..<0xdc00:
                // A surrogate is half of a character; the other half must follow.
                guard place + 1 < bytes.count, bytes[place] == UInt8(ascii: "\\"), bytes[place + 1] == UInt8(ascii: "u") else {
                    throw unexpected("half a character stands alone")
                }
                place += 1
                guard try 0xdc00..<0xe000 ~= codeUnit() else { throw unexpected("half a character stands alone") }
            case 0xdc00..<0xe000: throw unexpected("half a character stands alone")
            default: break
            }
        default: throw unexpected("there is no such escape")
        }
    }

    /// Reads from the `u` of `\uXXXX` on.
    private mutating func codeUnit() throws(JSONText.Flaw) -> UInt32 {
        place += 1
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard place < bytes.count, let digit = Self.hexadecimal(bytes[place]) else { throw unexpected("\\u takes four hexadecimal digits") }
            unit = unit << 4 | digit
            place += 1
        }
        return unit
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    /// Reads a number such as `-0`, `12` or `1.5e-3`; `01`, `1.` and `.5` are none.
    private mutating func number() throws(JSONText.Flaw) {
        let beginning = place
        if bytes[place] == UInt8(ascii: "-") { place += 1 }
        if place < bytes.count, bytes[place] == UInt8(ascii: "0") { place += 1 } else { try digits() }
        if place < bytes.count, bytes[place] == UInt8(ascii: ".") {
            place += 1
            try digits()
        }
        if place < bytes.count, bytes[place] | 0x20 == UInt8(ascii: "e") {
            place += 1
            if place < bytes.count, bytes[place] == UInt8(ascii: "+") || bytes[place] == UInt8(ascii: "-") { place += 1 }
            try digits()
        }
        // No number that anybody means is this long.
        if place - beginning > 256 { throw JSONText.Flaw(description: "the number at byte \(beginning + 1) has more than 256 characters") }
    }

    private mutating func digits() throws(JSONText.Flaw) {
        let beginning = place
        while place < bytes.count, UInt8(ascii: "0")...UInt8(ascii: "9") ~= bytes[place] { place += 1 }
        if place == beginning { throw unexpected("a digit is missing") }
    }

    private mutating func word(_ word: StaticString) throws(JSONText.Flaw) {
        let count = word.utf8CodeUnitCount
        guard bytes.count - place >= count, memcmp(bytes.baseAddress! + place, word.utf8Start, count) == 0 else { throw unexpected("a value is missing") }
        place += count
    }

    // MARK: Helpers

    private mutating func skipSpace() {
        while place < bytes.count, bytes[place] == 0x20 || 0x09...0x0a ~= bytes[place] || bytes[place] == 0x0d { place += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard place < bytes.count, bytes[place] == byte else { return false }
        place += 1
        return true
    }

    private func unexpected(_ what: String) -> JSONText.Flaw { JSONText.Flaw(description: "\(what) at byte \(place + 1)") }
}
