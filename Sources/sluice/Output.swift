import ControlAPI
import Foundation

/// What goes to the terminal.
enum Output {
    static func print(_ text: String, newline: Bool = true) {
        if text.isEmpty { return }
        FileHandle.standardOutput.write(Data((!newline || text.hasSuffix("\n") ? text : text + "\n").utf8))
    }

    static func error(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

    static func json(_ value: some Encodable) throws -> String {
        String(decoding: try JSONRPC.encoder(pretty: true).encode(value), as: UTF8.self)
    }

    static func changes(_ reply: ChangeReply) -> String {
        reply.changes.isEmpty ? "nothing to change" : reply.changes.joined(separator: "\n")
    }
}
