/** What each shell is told: to ask `uellm complete` what may stand at the cursor, and to offer files where that is nothing. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export const SCRIPTS: Record<Shell, string> = {
  bash: `# uellm completion bash > ~/.local/share/bash-completion/completions/uellm
_uellm() {
  local IFS=$'\\n'
  COMPREPLY=($(uellm complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _uellm uellm
`,
  zsh: `#compdef uellm
# uellm completion zsh > "\${fpath[1]}/_uellm"
_uellm() {
  local -a found
  found=("\${(@f)$(uellm complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[1]}" ]]; then compadd -- "\${found[@]}"; else _files; fi
}
if [[ "\${funcstack[1]}" == _uellm ]]; then _uellm "$@"; else compdef _uellm uellm; fi
`,
  fish: `# uellm completion fish > ~/.config/fish/completions/uellm.fish
function __uellm_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l found (uellm complete -- $words[2..-1] 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c uellm -f -a '(__uellm_complete)'
`,
};
