import Foundation

/// Lays a JSON text out over lines without reading its values, for people and for line-wise tools.
public enum JSONLayout {
    /// - Parameter text: JSON that has passed `JSONText.check`, without space between its parts, as the daemon writes it.
    /// - Returns: the same with every member and item on a line of its own, two spaces deeper for each object or list around it, as JSONEncoder does.
    public static func lines(_ text: some Collection<UInt8>) -> [UInt8] {
        var lines: [UInt8] = [], depth = 0, isInString = false, isEscaped = false, isFirst = false
        lines.reserveCapacity(text.count * 2)
        func newLine() {
            lines.append(0x0a)
            for _ in 0..<2 * depth { lines.append(0x20) }
        }
        for byte in text {
            if isInString {
                lines.append(byte)
                if byte == UInt8(ascii: "\""), !isEscaped { isInString = false }
                isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
                continue
            }
            let closes = byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]")
            if isFirst {
                // JSONEncoder writes an empty line into an empty object or list.
                if closes { lines.append(0x0a) } else { newLine() }
                isFirst = false
            }
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                lines.append(byte)
                depth += 1
                isFirst = true
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                newLine()
                lines.append(byte)
            case UInt8(ascii: ","):
                lines.append(byte)
                newLine()
            case UInt8(ascii: ":"):
                lines.append(0x20)
                lines.append(byte)
                lines.append(0x20)
            default:
                lines.append(byte)
                if byte == UInt8(ascii: "\"") { isInString = true }
            }
        }
        return lines
    }
}
