import ControlAPI
import Foundation

/// One change that was carried out, as it was asked for.
package enum StateChange: Codable, Equatable, Sendable {
    case edit(object: String, verb: String, words: [String])
    /// A whole document was applied.
    case document(yaml: String)
}

/// The changes since the state file was written, a line each: what is in it survives the daemon, whatever ends it, and the machine once it is synchronized.
///
/// Journal `N` follows the state file of generation `N`. While the next one is being written, changes go to journal `N + 1`; only when generation `N + 1`
/// has reached the disk does journal `N` go. So the state file and the journals from its own on, in their order, always tell what ran last.
package struct StateJournal: Sendable {
    package let path: String
    private let descriptor: CInt
    package private(set) var length: off_t = 0

    package static func path(of state: String, _ generation: UInt64) -> String { "\(state).changes.\(generation)" }

    /// Begins it; what was there is overwritten.
    package init(_ state: String, _ generation: UInt64) throws(StateFileError) {
        path = Self.path(of: state, generation)
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw StateFileError("the journal \(path) cannot be made", errno) }
    }

    /// - Throws: a sentence; nothing has been added then.
    package mutating func append(_ change: StateChange) throws(StateFileError) {
        guard let text = try? JSONEncoder().encode(change) else { throw StateFileError("the change cannot be saved in \(path)") }
        let line = Data("\(Checksum(text).text) ".utf8) + text + [0x0a]
        let count = line.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, length) }
        guard count == line.count else {
            let reason = count < 0 ? errno : ENOSPC
            ftruncate(descriptor, length)
            throw Self.failure(path, reason)
        }
        length += off_t(count)
    }

    /// Takes back what was appended since it was this long.
    package mutating func shorten(to length: off_t) {
        self.length = length
        ftruncate(descriptor, length)
    }

    /// Returns when the disk has it.
    package func synchronize() { fdatasync(descriptor) }

    package func end() { close(descriptor) }

    /// Takes it back as a whole.
    package func remove() {
        unlink(path)
        end()
    }

    /// What a journal tells.
    package struct Contents {
        /// Up to the first line that is not whole.
        package var changes: [StateChange] = []
        /// Changes that stand behind such a line, which a daemon that was killed does not leave: the file was damaged.
        package var lost = 0
    }

    /// - Returns: nil: there is no such journal.
    /// - Throws: a sentence if there is one that cannot be read.
    package static func contents(_ state: String, _ generation: UInt64) throws(StateFileError) -> Contents? {
        let path = path(of: state, generation)
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            if access(path, F_OK) != 0, errno == ENOENT { return nil }
            throw StateFileError("the journal \(path) cannot be read: \(error.localizedDescription)")
        }
        var result = Contents()
        var rest = data[...], isDamaged = false
        while let end = rest.firstIndex(of: 0x0a) {
            let change = change(rest[..<end])
            rest = rest[(end + 1)...]
            switch (change, isDamaged) {
            case (let change?, false): result.changes.append(change)
            case (_?, true): result.lost += 1
            case (nil, _): isDamaged = true
            }
        }
        return result
    }

    /// nil: the line is not whole.
    private static func change(_ line: Data) -> StateChange? {
        guard let space = line.firstIndex(of: 0x20) else { return nil }
        let text = Data(line[(space + 1)...])
        guard String(decoding: line[..<space], as: UTF8.self) == Checksum(text).text, (try? JSONText.check(text)) != nil else { return nil }
        return try? JSONDecoder().decode(StateChange.self, from: text)
    }

    /// Gives a journal a second name, under which it stays when it is removed.
    /// - Returns: where it is then.
    package static func keepDamaged(_ state: String, _ generation: UInt64) -> String {
        let path = path(of: state, generation), aside = "\(path).damaged"
        unlink(aside)
        return link(path, aside) == 0 ? aside : path
    }

    /// The generations of which there is a journal, in no order.
    package static func generations(_ state: String) -> [UInt64] {
        let url = URL(fileURLWithPath: state)
        let prefix = url.lastPathComponent + ".changes."
        let names = (try? FileManager.default.contentsOfDirectory(atPath: url.deletingLastPathComponent().path)) ?? []
        return names.filter { $0.hasPrefix(prefix) }.compactMap { UInt64($0.dropFirst(prefix.count)) }
    }

    /// The highest generation whose journal tells anything; nil: there is none.
    package static func highest(_ state: String) -> UInt64? {
        generations(state).filter { number in
            var info = stat()
            return stat(path(of: state, number), &info) == 0 && info.st_size > 0
        }.max()
    }

    /// Removes the journals that a state file of that generation contains.
    package static func remove(_ state: String, before generation: UInt64) {
        for number in generations(state) where number < generation { unlink(path(of: state, number)) }
    }

    private static func failure(_ path: String, _ reason: CInt) -> StateFileError { StateFileError("the change cannot be saved in \(path)", reason) }
}
