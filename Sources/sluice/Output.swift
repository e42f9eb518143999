import ControlAPI
import Foundation

/// Prints to the terminal.
enum Output {
    static func print(_ text: String, newline: Bool = true) {
        if text.isEmpty { return }
        FileHandle.standardOutput.write(Data(printable(!newline || text.hasSuffix("\n") ? text : text + "\n").utf8))
    }

    static func error(_ text: String) { FileHandle.standardError.write(Data((printable(text) + "\n").utf8)) }

    /// The text with control characters replaced by their numbers, as names and texts from elsewhere may contain some that a terminal takes for commands: C0
    /// controls except line feed and tab, DEL, and C1 controls.
    static func printable(_ text: String) -> String {
        func isCommand(_ character: Unicode.Scalar) -> Bool {
            character.value < 0x20 && character != "\n" && character != "\t" || 0x7f...0x9f ~= character.value
        }
        // Most texts have no such character, which their bytes tell soonest. In UTF-8, the C1 controls are a C2 and the byte of their number.
        var text = text
        let mayHaveCommands = text.withUTF8 { bytes in bytes.contains { $0 < 0x20 && $0 != 0x0a && $0 != 0x09 || $0 == 0x7f || $0 == 0xc2 } }
        guard mayHaveCommands, text.unicodeScalars.contains(where: isCommand) else { return text }
        return text.unicodeScalars.reduce(into: "") { $0 += isCommand($1) ? "\\u{\(String($1.value, radix: 16))}" : String($1) }
    }

    static func json(_ value: some Encodable) throws -> String {
        String(decoding: try JSONRPC.encoder(pretty: true).encode(value), as: UTF8.self)
    }

    /// Prints what a change did, or would do, and on standard error what will not work as it is written. JSON says all of that by itself.
    static func tell(_ reply: ChangeReply, json isJSON: Bool, _ text: (ChangeReply) -> String = changes) throws {
        if isJSON { return print(try json(reply)) }
        warn(of: reply)
        print(text(reply))
    }

    static func warn(of reply: ChangeReply) { for sentence in reply.warnings ?? [] { error("warning: \(sentence)") } }

    static func changes(_ reply: ChangeReply) -> String {
        ((reply.changes.isEmpty ? ["nothing to change"] : reply.changes) + ((reply.kept ?? []) + (reply.notes ?? [])).map { "# \($0)" }).joined(separator: "\n")
    }
}
