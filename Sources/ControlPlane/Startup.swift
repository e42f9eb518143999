import Configuration
import ControlAPI
import Foundation
import Logging

/// Decides what a daemon runs when it starts: from its configuration file, and from what ran last according to the state file.
package struct Startup {
    /// What is to run: the operator's configuration, and the parts that ran last.
    package private(set) var running = Running()
    /// The configuration file as it is to be compared with what runs; nil: there is none.
    package private(set) var file: LoadedFile?
    /// What that file says.
    package private(set) var fileModel = Model()
    /// Why the configuration file is not in use, as a sentence; nil: it is, or there is none.
    package private(set) var flaw: String?
    /// What ran last, if something of it does not run any more because of what the file says.
    package private(set) var replaced: Model?

    /// - Parameters:
    ///   - configFile: the path given with `--config`; nil: none was given.
    ///   - stateFile: the path of the state file, for sentences.
    ///   - saved: the content of the state file; nil: there is none.
    ///   - before: the same with the journals' changes.
    /// - Throws: a sentence that says why there is nothing to run.
    package init(configFile: String?, stateFile: String?, saved: StateFile.Contents?, before: SavedState?, _ log: Logger) throws {
        guard let configFile else {
            guard let saved, let stateFile else { return }
            if let ran = before?.running {
                running = ran
                return
            }
            do {
                running = Running(try Model.checked(yaml: saved.yaml), ids: saved.ids)
            } catch {
                throw DaemonError("what \(stateFile) says ran last is not a configuration to run; write one and give it with --config:\n\(error)")
            }
            return
        }
        let ids = before?.running?.ids ?? saved?.ids ?? ClassIDs()
        // What another file led to says nothing about this one.
        let last = before?.running, loaded = before?.file.flatMap { $0.path == LoadedFile(path: configFile, text: "").path ? $0 : nil }
        do {
            let text = try textFile(configFile)
            if let last, let loaded, text == loaded.text, let model = try? Model(yaml: text) {
                (running, file, fileModel) = (last, loaded, model)
                return
            }
            let model: Model
            do {
                model = try Model.checked(yaml: text)
            } catch {
                throw DaemonError("\(configFile) is not a configuration to run:\n\(error)")
            }
            (file, fileModel) = (LoadedFile(path: configFile, text: text), model)
            guard let last else {
                running = Running(model, ids: ids)
                return
            }
            guard let loaded, let base = try? Model(yaml: loaded.text) else {
                running = last.fitting(model)
                let count = Plan.objects(from: last.base, to: model).lines(from: last.base, to: model).count
                if count != 0, last.base != Model() {
                    replaced = last.base
                    log.warning("\(configFile) runs; what ran before, without it, differs in \(count) thing\(count == 1 ? "" : "s")")
                }
                return
            }
            let dropped: [String]
            (running, dropped) = last.restarted(with: model, base: base)
            log.notice("\(configFile) was edited while the daemon was away, and is loaded again")
            if !dropped.isEmpty { replaced = last.base }
            for sentence in dropped { log.warning("single changes are dropped: \(sentence)") }
        } catch {
            // A host's guests must not be without their switch because a file that somebody is editing is not finished.
            guard let last, let loaded else { throw (error as? TextFileError).map { DaemonError($0.description) } ?? error }
            (running, file, fileModel, flaw) = (last, loaded, (try? Model(yaml: loaded.text)) ?? Model(), "\(error)")
            log.error("what ran last goes on, as the configuration file cannot be used: \(error)")
        }
    }
}
