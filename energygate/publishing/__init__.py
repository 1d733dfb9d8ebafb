"""Publishing a verdict where people look: summary, check run, annotations, comment, outputs.

The job's exit code is the verdict, and is decided already: nothing here changes it.
"""
