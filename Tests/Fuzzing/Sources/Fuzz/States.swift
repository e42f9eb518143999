import Configuration
import ControlPlane
import Foundation
import Logging

/// A state file, and behind NUL octets its journals. Their checksums are added here, as no input would ever have the right one; a file or line that begins with
/// `!` is taken as it is.
///
/// Whatever was saved, the daemon starts with a valid configuration or with a sentence that says why not, and what it then saves it can load.
func fuzzState(_ bytes: [UInt8]) {
    let parts = bytes.split(separator: 0, maxSplits: 4, omittingEmptySubsequences: false)
    let file = StateFile(path: folder.path + "/state.json")
    write(summed(state: parts[0]), file.path)
    let contents: StateFile.Contents
    do throws(StateFileError) {
        guard let loaded = try file.load() else { return claim(false, "a file that was written is there") }
        contents = loaded
    } catch {
        check(sentence: error.description)
        return
    }
    let first = contents.generation ?? 0
    var journals: [String] = []
    for (number, journal) in parts.dropFirst().enumerated() {
        let (generation, overflow) = first.addingReportingOverflow(UInt64(number))
        if overflow { break }
        journals.append(StateJournal.path(of: file.path, generation))
        write(summed(journal: journal), journals[number])
    }
    defer { for journal in journals { for path in [journal, journal + ".damaged"] { unlink(path) } } }
    let saved = SavedState(file, contents, Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() })
    claim(saved.generation >= first, "generations grow")
    guard let running = saved.running else {
        claim(refusal { () throws(ConfigurationError) in try Model.checked(yaml: contents.yaml) } != nil, "a valid configuration is not lost")
        return
    }
    claim(running.model.problems.isEmpty, "what ran last is valid: \(running.model.problems)")
    for tree in running.trees {
        let ids = tree.classes.map(\.id)
        claim(Set(ids).count == ids.count, "each class of a tree has an id of its own: \(ids)")
    }
    for journal in journals { unlink(journal) }
    do {
        try file.save(ids: running.ids, yaml: running.model.yaml, generation: saved.generation, journal: false, parts: running.parts)
        guard let again = try file.load() else { return claim(false, "what was saved is there") }
        let last = SavedState(file, again, Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() })
        claim(again.ids == running.ids && last.running?.model == running.model, "what was saved is loaded:\n\(running.model.yaml)\n\(again.yaml)")
        claim(last.running?.parts == running.parts, "parts that were saved are loaded: \(running.parts)")
        claim(last.running?.trees == running.trees, "the classes keep their ids")
    } catch {
        claim(false, "what ran can be saved and loaded: \(error)")
    }
}

private func summed(state text: ArraySlice<UInt8>) -> [UInt8] {
    if text.first == UInt8(ascii: "!") { return Array(text.dropFirst()) }
    return Array("{\"checksum\":\"\(Checksum(text).text)\",".utf8) + text
}

private func summed(journal text: ArraySlice<UInt8>) -> [UInt8] {
    text.split(separator: 0x0a).flatMap { line in
        (line.first == UInt8(ascii: "!") ? Array(line.dropFirst()) : Array("\(Checksum(line).text) ".utf8) + line) + [0x0a]
    }
}

/// A folder in memory, as files on disk would take most of the time. It is removed at the end of the process.
private let folder: Folder = Folder()

private struct Folder {
    let path: String

    init() {
        var template = Array("/dev/shm/sluice-fuzz-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { fatalError("no temporary folder: \(String(cString: strerror(errno)))") }
        path = String(cString: made)
        atexit { try? FileManager.default.removeItem(atPath: folder.path) }
    }
}

private func write(_ bytes: [UInt8], _ path: String) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    claim(descriptor >= 0 && Glibc.write(descriptor, bytes, bytes.count) == bytes.count, "a file can be written")
    close(descriptor)
}
