import ControlAPI
import Foundation

/// One change that was carried out, in the form in which it was asked for.
package enum StateChange: Codable, Equatable, Sendable {
    case edit(object: String, verb: String, words: [String])
    /// A whole document was applied: the operator's own configuration, to which the parts of that time belong.
    case document(yaml: String)
    /// A part was put in place of the one of its name; without `yaml`, it was deleted.
    case part(name: String, yaml: String?)
    /// The configuration file has this text now, and what ran was loaded from it or saved in it. What runs does not change.
    case file(text: String)
    /// A document was applied as with `document`, and what the operator's configuration was before runs again unless `confirmed` follows.
    case trial(yaml: String)
    case confirmed
    /// That configuration runs again.
    case undone
}

/// The changes since the state file was written, one on each line. A change that was appended survives the end of the daemon, however it ends; once the
/// journal is synchronized, it survives a crash of the machine as well.
///
/// Journal `N` follows the state file of generation `N`. While the state file of generation `N + 1` is being written, changes go to journal `N + 1`; only when
/// that file is on disk is journal `N` removed. So the state file, followed by the journals from its own generation on in their order, always describes what
/// ran last.
package struct StateJournal: Sendable {
    package let path: String
    private let descriptor: CInt
    package private(set) var length: off_t = 0

    /// The path of a journal.
    package static func path(of state: String, _ generation: UInt64) -> String { "\(state).changes.\(generation)" }

    /// Begins a journal. An old one of the same name is overwritten.
    package init(_ state: String, _ generation: UInt64) throws(StateFileError) {
        path = Self.path(of: state, generation)
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw StateFileError("the journal \(path) cannot be made", errno) }
    }

    /// Appends a change.
    /// - Throws: a sentence; nothing has been appended then.
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

    /// Removes what was appended since the journal had this length.
    package mutating func shorten(to length: off_t) {
        self.length = length
        ftruncate(descriptor, length)
    }

    /// Returns when the journal is on disk.
    package func synchronize() { fdatasync(descriptor) }

    /// Closes the journal's file, which stays.
    package func end() { close(descriptor) }

    /// Removes the journal's file.
    package func remove() {
        unlink(path)
        end()
    }

    /// The changes that were read from a journal.
    package struct Contents {
        /// The changes up to the first incomplete or damaged line.
        package var changes: [StateChange] = []
        /// How many changes stand behind such a line. A daemon that was killed leaves none there, so the file was damaged.
        package var lost = 0
    }

    /// Reads a journal.
    /// - Returns: nil if there is no such journal.
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

    /// The change that a line holds; nil: the line is incomplete or damaged.
    private static func change(_ line: Data) -> StateChange? {
        guard let space = line.firstIndex(of: 0x20) else { return nil }
        let text = Data(line[(space + 1)...])
        guard String(decoding: line[..<space], as: UTF8.self) == Checksum(text).text, (try? JSONText.check(text)) != nil else { return nil }
        return try? JSONDecoder().decode(StateChange.self, from: text)
    }

    /// Gives a journal a second name, so that the file stays when the journal is removed.
    /// - Returns: that name; if it could not be given, the journal's own.
    package static func keepDamaged(_ state: String, _ generation: UInt64) -> String {
        let path = path(of: state, generation), aside = "\(path).damaged"
        unlink(aside)
        return link(path, aside) == 0 ? aside : path
    }

    /// The generations for which a journal exists, in no particular order.
    package static func generations(_ state: String) -> [UInt64] {
        let url = URL(fileURLWithPath: state)
        let prefix = url.lastPathComponent + ".changes."
        let names = (try? FileManager.default.contentsOfDirectory(atPath: url.deletingLastPathComponent().path)) ?? []
        return names.filter { $0.hasPrefix(prefix) }.compactMap { UInt64($0.dropFirst(prefix.count)) }
    }

    /// The highest generation whose journal is not empty; nil: there is none.
    package static func highest(_ state: String) -> UInt64? {
        generations(state).filter { number in
            var info = stat()
            return stat(path(of: state, number), &info) == 0 && info.st_size > 0
        }.max()
    }

    /// Removes the journals before this generation, as the state file of that generation contains their changes.
    package static func remove(_ state: String, before generation: UInt64) {
        for number in generations(state) where number < generation { unlink(path(of: state, number)) }
    }

    private static func failure(_ path: String, _ reason: CInt) -> StateFileError { StateFileError("the change cannot be saved in \(path)", reason) }
}
