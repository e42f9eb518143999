import ArgumentParser
import ControlAPI

extension CompletionKind {
    /// The names of objects that the daemon has, for the word that stands behind object and verb. The shell waits for them, so a daemon that does not answer at
    /// once is not waited for.
    static func names<Reply>(_ method: Method<NameParams, Reply>) -> CompletionKind {
        let name = method.name
        return after(3) { found(name) }
    }

    /// The paths of all classes, for the word behind object and verb.
    static var classes: CompletionKind { after(3) { paths() } }

    /// The names of guests, for the word behind the verb of one word.
    static var guests: CompletionKind { after(2) { found(Methods.guestShow.name) } }

    /// What can be captured, for the word behind `capture`.
    static var captured: CompletionKind { after(2) { found(Methods.guestShow.name) + found(Methods.portShow.name) + paths() } }

    /// Words for the place behind so many words that are no options.
    private static func after(_ count: Int, _ words: @escaping @Sendable () -> [String]) -> CompletionKind {
        .custom { all, index, _ in
            guard all.prefix(max(index, 0)).filter({ !$0.hasPrefix("-") }).count == count else { return [] }
            return Set(words()).sorted()
        }
    }

    private static var client: Client { Client(path: Client.standardPath, patience: .milliseconds(500)) }

    private static func found(_ method: String) -> [String] {
        let found: [Named]? = try? client.call(method, NameParams(name: nil))
        return (found ?? []).map(\.name)
    }

    private static func paths() -> [String] {
        let found: [Pathed]? = try? client.call(Methods.classShow.name, ClassParams())
        return (found ?? []).map(\.path).filter { !$0.isEmpty }
    }

    private struct Named: Decodable { var name: String }
    private struct Pathed: Decodable { var path: String }
}
