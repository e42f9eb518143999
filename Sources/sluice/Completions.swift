import ArgumentParser
import ControlAPI

extension CompletionKind {
    /// Configuration files.
    static var yaml: CompletionKind { .file(extensions: ["yaml", "yml"]) }

    /// The names of objects that the daemon has, for the word that stands behind object and verb. The shell waits for them, so a daemon that does not answer at
    /// once is not waited for.
    static func names<Reply>(_ method: Method<NameParams, Reply>) -> CompletionKind {
        let name = method.name
        return after(3) { found(name, $0) }
    }

    /// The paths of all classes, for the word behind object and verb.
    static var classes: CompletionKind { after(3) { paths($0) } }

    /// The names of guests, for the word behind the verb of one word.
    static var guests: CompletionKind { after(2) { found(Methods.guestShow.name, $0) } }

    /// What can be captured, for the word behind `capture`.
    static var captured: CompletionKind { after(2) { found(Methods.guestShow.name, $0) + found(Methods.portShow.name, $0) + paths($0) } }

    /// Words for the place behind so many words that are no options.
    private static func after(_ count: Int, _ words: @escaping @Sendable (Client) -> [String]) -> CompletionKind {
        .custom { all, index, _ in
            let (before, socket) = withoutOptions(all.prefix(max(index, 0)))
            guard before.count == count else { return [] }
            return Set(words(Client(path: socket ?? Client.standardPath, patience: .milliseconds(500)))).sorted()
        }
    }

    /// The words that are neither options nor their values, and the socket that one of these names.
    static func withoutOptions(_ words: some Sequence<String>) -> (words: [String], socket: String?) {
        var rest: [String] = [], socket: String?, option: String?
        for word in words {
            if let name = option {
                if name != "--timeout" { socket = word }
                option = nil
            } else if ["-s", "--socket", "--timeout"].contains(word) {
                option = word
            } else if let prefix = ["--socket=", "-s="].first(where: word.hasPrefix) {
                socket = String(word.dropFirst(prefix.count))
            } else if !word.hasPrefix("-") {
                rest.append(word)
            }
        }
        return (rest, socket)
    }

    private static func found(_ method: String, _ client: Client) -> [String] {
        let found: [Named]? = try? client.call(method, NameParams(name: nil))
        return (found ?? []).map(\.name)
    }

    private static func paths(_ client: Client) -> [String] {
        let found: [Pathed]? = try? client.call(Methods.classShow.name, ClassParams())
        return (found ?? []).map(\.path).filter { !$0.isEmpty }
    }

    private struct Named: Decodable { var name: String }
    private struct Pathed: Decodable { var path: String }
}
